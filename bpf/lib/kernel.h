// The few kernel types that programs read, relocated at load time (CO-RE): builds need no vmlinux.h.
#pragma once

#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
// After linux/bpf.h:
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
typedef struct {
  int counter;
} atomic_t;
struct thread_struct {
  unsigned long fsbase;
};
struct signal_struct {
  atomic_t live;  // threads
};
struct task_struct {
  unsigned int __state;
  int pid;   // the thread's id in the root pid namespace
  int tgid;  // its process's
  struct signal_struct* signal;
  struct thread_struct thread;
};
#pragma clang attribute pop

// Of task_struct.__state (include/linux/sched.h).
#define PYC_TASK_RUNNING 0u
#define PYC_TASK_DEAD 0x80u

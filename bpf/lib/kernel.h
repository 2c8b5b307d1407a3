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
struct ns_common {
  unsigned int inum;  // inode of /proc/PID/ns/...
};
struct pid_namespace {
  struct ns_common ns;
};
struct upid {
  int nr;
  struct pid_namespace* ns;
};
struct pid {
  unsigned int level;
  struct upid numbers[1];  // level + 1 of them, from the root namespace down
};
struct sched_entity {
  unsigned long long sum_exec_runtime;
  unsigned long long prev_sum_exec_runtime;  // when it was last chosen to run
};
struct task_struct {
  unsigned int __state;
  unsigned int flags;
  int pid;   // the thread's id in the root pid namespace
  int tgid;  // its process's
  struct task_struct* group_leader;
  struct pid* thread_pid;
  struct signal_struct* signal;
  struct sched_entity se;
  struct thread_struct thread;
};
#pragma clang attribute pop

// Of task_struct.__state (include/linux/sched.h).
#define PYC_TASK_RUNNING 0u
// Of task_struct.flags.
#define PYC_TASK_EXITING 0x4u

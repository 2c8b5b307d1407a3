// The few kernel types that programs read, relocated at load time (CO-RE): builds need no vmlinux.h.
#pragma once

#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
// After linux/bpf.h:
#include <bpf/bpf_helpers.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct thread_struct {
  unsigned long fsbase;
};
struct task_struct {
  struct thread_struct thread;
};
#pragma clang attribute pop

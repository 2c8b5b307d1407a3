// Time off a CPU: the stack is taken when a thread leaves the CPU, since only then is its memory at hand, and written
// when it comes back if a tick of the grid has passed meanwhile.
#pragma once

#include "bpf/include/musl.h"
#include "bpf/lib/sample.h"

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 65536);
  __type(key, __u32);
  __type(value, struct pyc_wait);
} pyc_waits SEC(".maps");

// A new thread's entry.
static struct pyc_wait pyc_no_wait;

#define PYC_MAX_WAITERS 64
// How far above the stack pointer the futex of musl's condition variables is at most.
#define PYC_MUSL_NEAR 1024

static inline int pyc_musl_waits_on(pyc_u64 condition, pyc_u64 futex) {
  long failed = 0;
  pyc_u64 waiter = pyc_read_u64(condition + PYC_MUSL_COND_HEAD, &failed);
  for (int i = 0; i < PYC_MAX_WAITERS && waiter >= PYC_MUSL_LOWEST_STACK && !failed; ++i) {
    if (waiter + PYC_MUSL_WAITER_BARRIER == futex) return 1;
    waiter = pyc_read_u64(waiter + PYC_MUSL_WAITER_NEXT, &failed);
  }
  return 0;
}

// Whether who waits on `futex` waits for the GIL.
static inline int pyc_is_gil(const struct pyc_scratch* scratch, pyc_u64 futex, pyc_u64 stack_pointer) {
  pyc_u64 gil = scratch->gil, size = scratch->process.layout.gil_size;
  if (!gil) return 0;
  if (futex - gil < size) return 1;
  if (futex - stack_pointer >= PYC_MUSL_NEAR) return 0;
  return pyc_musl_waits_on(gil + size - PYC_GIL_COND_FROM_END, futex) ||
         pyc_musl_waits_on(gil + size - PYC_GIL_SWITCH_COND_FROM_END, futex);
}

static inline void pyc_describe_wait(struct pyc_scratch* scratch, struct task_struct* task, int runnable) {
  struct pyc_sample* sample = &scratch->sample;
  struct pt_regs* registers = (struct pt_regs*)bpf_task_pt_regs(task);
  sample->flags |= PYC_SAMPLE_WAITED;
  if (runnable) sample->flags |= PYC_SAMPLE_RUNNABLE;
  long syscall = registers->orig_rax;
  if (syscall < 0) return;
  sample->wait_syscall = syscall;
  sample->wait_argument = registers->rdi;
  if (syscall == PYC_SYSCALL_FUTEX && pyc_is_gil(scratch, sample->wait_argument, registers->rsp))
    sample->flags |= PYC_SAMPLE_WAITS_FOR_GIL;
}

// A wait of `all` ticks, `ticks` of which should have been recorded, is not; `counter` is that of the reason.
static inline void pyc_lose_wait(pyc_u64* counter, pyc_u64 ticks, pyc_u64 all) {
  __sync_fetch_and_add(counter, ticks);
  __sync_fetch_and_add(&pyc_counters.skipped, all - ticks);
}

// The wait, if it is one, has ended now.
static inline void pyc_finish_wait(struct pyc_wait* wait, pyc_u64 now) {
  pyc_u64 begin = wait->sample.wait_begin_ns;
  wait->sample.wait_begin_ns = 0;
  pyc_u32 stride = pyc_settings.stride;
  pyc_u64 all = begin ? pyc_ticks_between(&pyc_settings, begin, now, 1) : 0;
  if (!all) return;
  pyc_u64 ticks = pyc_ticks_between(&pyc_settings, begin, now, stride);
  __sync_fetch_and_add(&pyc_counters.ticks, all);
  if (!ticks) {
    __sync_fetch_and_add(&pyc_counters.skipped, all);
    return;
  }
  if (wait->error) {
    if (wait->error < PYC_ERROR_COUNT) pyc_lose_wait(&pyc_counters.errors[wait->error], ticks, all);
    return;
  }
  pyc_u32 count = wait->sample.frame_count;
  if (count > PYC_MAX_FRAMES) return;
  wait->sample.wait_begin_ns = begin;
  wait->sample.time_ns = now;
  wait->sample.stride = stride;
  if (bpf_ringbuf_output(&pyc_ring, &wait->sample, sizeof wait->sample + count * sizeof(struct pyc_frame),
                         pyc_wakeup()))
    pyc_lose_wait(&pyc_counters.ring_full, ticks, all);
  wait->sample.wait_begin_ns = 0;
}

static inline pyc_u64 pyc_slice_ns(struct task_struct* task) {
  return task->se.sum_exec_runtime - task->se.prev_sum_exec_runtime;
}

// `task` is about to leave the CPU.
static inline void pyc_begin_wait(struct pyc_scratch* scratch, struct task_struct* task, pyc_u32 tgid, int runnable,
                                  pyc_u64 now) {
  pyc_u32 tid = pyc_tid_of(task);
  struct pyc_wait* wait = bpf_map_lookup_elem(&pyc_waits, &tid);
  if (!wait) {
    bpf_map_update_elem(&pyc_waits, &tid, &pyc_no_wait, BPF_NOEXIST);
    wait = bpf_map_lookup_elem(&pyc_waits, &tid);
  }
  if (!wait) return;
  // Now and then the kernel does not tell that a thread runs again (seen with 6.18 while other tracers come and go):
  // it did for as long as it has used the CPU since it was last chosen.
  if (wait->sample.wait_begin_ns) pyc_finish_wait(wait, now - pyc_slice_ns(task));
  pyc_take_sample(scratch, task, tgid, now);
  pyc_describe_wait(scratch, task, runnable);
  pyc_u32 count = scratch->sample.frame_count;
  if (count > PYC_MAX_FRAMES) return;
  wait->error = scratch->error;
  if (bpf_probe_read_kernel(wait->frames, count * sizeof(struct pyc_frame), scratch->frames)) return;
  scratch->sample.time_ns = 0;
  scratch->sample.wait_begin_ns = now;
  wait->sample = scratch->sample;
}

// `task` is about to run.
static inline void pyc_end_wait(struct task_struct* task, pyc_u64 now) {
  pyc_u32 tid = pyc_tid_of(task);
  struct pyc_wait* wait = bpf_map_lookup_elem(&pyc_waits, &tid);
  if (wait) pyc_finish_wait(wait, now);
}

// One look at the running thread: its stack, its asyncio task, and whether it holds the GIL, to scratch->sample and
// scratch->frames.
#pragma once

#include "bpf/lib/frames.h"
#include "bpf/lib/pids.h"
#include "bpf/lib/tasks.h"
#include "bpf/lib/threads.h"

static inline void pyc_read_gil(struct pyc_scratch* scratch, pyc_u64 thread) {
  const struct pyc_layout* layout = &scratch->process.layout;
  long failed = 0;
  pyc_u64 gil = scratch->process.runtime + layout->gil;
  if (!layout->gil_in_runtime) {
    pyc_u64 interpreter = pyc_u64_at(scratch->thread, layout->thread_interp & 0xf8);
    gil = pyc_read_u64(interpreter + layout->gil, &failed);
  }
  // In the order in which whoever takes the GIL writes them: this thread may have dropped it a moment ago.
  pyc_u32 locked = 0;
  failed |= pyc_read(&locked, sizeof locked, gil + layout->gil_locked);
  pyc_u64 holder = pyc_read_u64(gil + layout->gil_last_holder, &failed);
  if (failed) return;
  scratch->gil = gil;
  // A free-threaded build without a GIL: whoever runs.
  if (holder == thread && locked == 1) scratch->sample.flags |= PYC_SAMPLE_HOLDS_GIL;
}

static inline pyc_u64 pyc_user_ip(struct task_struct* task) { return ((struct pt_regs*)bpf_task_pt_regs(task))->rip; }

// The running thread is `task`, of the process `tgid` in scratch->process. Leaves a complete sample but for what only
// the caller knows; scratch->error says why there is none.
static inline void pyc_take_sample(struct pyc_scratch* scratch, struct task_struct* task, pyc_u32 tgid, pyc_u64 now) {
  struct pyc_sample* sample = &scratch->sample;
  ++scratch->sequence;
  scratch->error = PYC_OK;
  scratch->gil = 0;
  scratch->walk.count = scratch->walk.flags = 0;
  sample->type = PYC_RECORD_SAMPLE;
  sample->flags = 0;
  sample->time_ns = now;
  sample->wait_begin_ns = 0;
  sample->wait_syscall = PYC_NO_SYSCALL;
  sample->task = 0;
  sample->stride = pyc_settings.stride;
  sample->tgid = tgid;
  sample->tid = pyc_tid_of(task);
  sample->thread_id = task->thread.fsbase;

  if (scratch->process.runtime && pyc_find_thread(scratch, sample->tid, sample->thread_id, now)) {
    pyc_walk_thread(scratch);
    if (scratch->process.tasks.type && scratch->walk.count) pyc_find_task();
    if (pyc_settings.read_gil) pyc_read_gil(scratch, scratch->search.thread);
  }
  pyc_u32 count = scratch->walk.count;
  if (count > PYC_MAX_FRAMES) count = PYC_MAX_FRAMES;
  sample->frame_count = count;
  sample->flags |= count ? scratch->walk.flags : PYC_SAMPLE_NO_PYTHON;
  sample->user_ip = count ? 0 : pyc_user_ip(task);
}

// Waking user space costs more than the walk, so it is left to its own timer unless the ring fills up.
static inline pyc_u64 pyc_wakeup(void) {
  pyc_u64 waiting = bpf_ringbuf_query(&pyc_ring, BPF_RB_AVAIL_DATA);
  return waiting >= pyc_settings.ring_wakeup ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

// The on-CPU sampler: at each tick of a thread's CPU clock, writes the thread's Python stack to the ring.
#include "bpf/lib/frames.h"
#include "bpf/lib/threads.h"

static inline pyc_u64 pyc_user_ip(struct task_struct* task) {
  struct pt_regs* registers = (struct pt_regs*)bpf_task_pt_regs(task);
  return registers->rip;
}

// Waking user space costs more than the walk, so it is left to its own timer unless the ring fills up.
static inline pyc_u64 pyc_wakeup(void) {
  pyc_u64 waiting = bpf_ringbuf_query(&pyc_ring, BPF_RB_AVAIL_DATA);
  return waiting >= pyc_settings.ring_wakeup ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

SEC("perf_event")
int pyc_on_tick(struct bpf_perf_event_data* context) {
  struct pyc_scratch* scratch = pyc_get_scratch();
  if (!scratch) return 0;
  struct task_struct* task = bpf_get_current_task_btf();
  struct pyc_sample* sample = &scratch->sample;
  pyc_count(&pyc_counters.ticks);
  ++scratch->sequence;
  scratch->error = PYC_OK;
  scratch->walk.count = scratch->walk.flags = 0;
  sample->type = PYC_RECORD_SAMPLE;
  sample->time_ns = bpf_ktime_get_ns();
  sample->tid = (pyc_u32)bpf_get_current_pid_tgid();
  sample->thread_id = task->thread.fsbase;

  if (pyc_find_thread(scratch, sample->tid, sample->thread_id, sample->time_ns)) pyc_walk_thread(scratch);
  if (scratch->error) {
    if (scratch->error < PYC_ERROR_COUNT) pyc_count(&pyc_counters.errors[scratch->error]);
    return 0;
  }
  pyc_u32 count = scratch->walk.count;
  if (count > PYC_MAX_FRAMES) return 0;
  sample->frame_count = count;
  sample->flags = count ? scratch->walk.flags : PYC_SAMPLE_NO_PYTHON;
  sample->user_ip = count ? 0 : pyc_user_ip(task);
  if (bpf_ringbuf_output(&pyc_ring, sample, sizeof *sample + count * sizeof(struct pyc_frame), pyc_wakeup()))
    pyc_count(&pyc_counters.ring_full);
  return 0;
}

char LICENSE[] SEC("license") = "GPL";

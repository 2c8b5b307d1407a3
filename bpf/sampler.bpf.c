// Samples Python stacks: at each tick of a clock, and in wall mode of each wait too. Which programs are loaded and what
// they are attached to is the mode's business (daemon/collect/sampler.cc).
#include "bpf/lib/waits.h"

// Per CPU: since when what runs there has been running, and the last tick.
struct pyc_cpu {
  pyc_u64 running_since_ns;
  pyc_u64 tick_ns;
};
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct pyc_cpu);
} pyc_cpus SEC(".maps");

static inline struct pyc_cpu* pyc_this_cpu(void) {
  pyc_u32 zero = 0;
  return bpf_map_lookup_elem(&pyc_cpus, &zero);
}

static inline void pyc_write_tick(struct pyc_scratch* scratch) {
  pyc_count(&pyc_counters.ticks);
  if (scratch->error) {
    if (scratch->error < PYC_ERROR_COUNT) pyc_count(&pyc_counters.errors[scratch->error]);
    return;
  }
  pyc_u32 count = scratch->sample.frame_count;
  if (count > PYC_MAX_FRAMES) return;
  if (bpf_ringbuf_output(&pyc_ring, &scratch->sample, sizeof scratch->sample + count * sizeof(struct pyc_frame),
                         pyc_wakeup()))
    pyc_count(&pyc_counters.ring_full);
}

// Whether a tick of a followed process is left out, which is counted. Chosen at random, lest it be always the same
// thread's of two that alternate.
static inline int pyc_skip_tick(void) {
  pyc_u32 stride = pyc_settings.stride;
  if (stride <= 1 || bpf_get_prandom_u32() % stride == 0) return 0;
  pyc_count(&pyc_counters.ticks);
  pyc_count(&pyc_counters.skipped);
  return 1;
}

// The clock of a thread's CPU time.
SEC("perf_event")
int pyc_on_thread_tick(struct bpf_perf_event_data* context) {
  struct pyc_scratch* scratch = pyc_get_scratch();
  struct task_struct* task = bpf_get_current_task_btf();
  pyc_u32 tgid = pyc_tgid_of(task);
  if (!scratch || !pyc_enter(scratch, tgid) || pyc_skip_tick()) return 0;
  pyc_take_sample(scratch, task, tgid, bpf_ktime_get_ns());
  pyc_write_tick(scratch);
  return 0;
}

// The clock of a CPU, whatever runs there.
SEC("perf_event")
int pyc_on_cpu_tick(struct bpf_perf_event_data* context) {
  struct pyc_scratch* scratch = pyc_get_scratch();
  struct pyc_cpu* cpu = pyc_this_cpu();
  if (!scratch || !cpu) return 0;
  pyc_u64 now = bpf_ktime_get_ns();
  if (!pyc_settings.tick_origin_ns) pyc_settings.tick_origin_ns = now;
  pyc_u64 previous = cpu->tick_ns;
  cpu->tick_ns = now;
  struct task_struct* task = bpf_get_current_task_btf();
  pyc_u32 tgid = pyc_tgid_of(task);
  if (!pyc_enter(scratch, tgid)) return 0;
  if (!pyc_skip_tick()) {
    pyc_take_sample(scratch, task, tgid, now);
    pyc_write_tick(scratch);
  }

  pyc_u64 since = previous > cpu->running_since_ns ? previous : cpu->running_since_ns;
  pyc_u64 period = pyc_settings.tick_period_ns;
  if (!previous || !period) return 0;
  // A tick may come up to half a period late without another being missed.
  pyc_u64 periods = (now - since + period / 2) / period;
  if (periods > 1) __sync_fetch_and_add(&pyc_counters.late, periods - 1);
  return 0;
}

// Who leaves the CPU now has missed the ticks that were due since the last one that came.
static inline void pyc_count_missed(const struct pyc_cpu* cpu, pyc_u64 now) {
  pyc_u64 tick = cpu->tick_ns, since = cpu->running_since_ns, period = pyc_settings.tick_period_ns;
  if (!tick || !period) return;
  if (since < tick) since = tick;
  pyc_u64 missed = (now - tick) / period - (since - tick) / period;
  if (missed) __sync_fetch_and_add(&pyc_counters.late, missed);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(pyc_on_switch, _Bool preempt, struct task_struct* prev, struct task_struct* next) {
  struct pyc_scratch* scratch = pyc_get_scratch();
  struct pyc_cpu* cpu = pyc_this_cpu();
  if (!scratch || !cpu) return 0;
  pyc_u64 now = bpf_ktime_get_ns();
  pyc_u32 tgid = pyc_tgid_of(prev);
  // One that exits has had its last wait.
  if (!(prev->flags & PYC_TASK_EXITING) && pyc_enter(scratch, tgid)) {
    pyc_count_missed(cpu, now);
    pyc_begin_wait(scratch, prev, tgid, preempt || prev->__state == PYC_TASK_RUNNING, now);
  }
  cpu->running_since_ns = now;
  tgid = pyc_tgid_of(next);
  if (bpf_map_lookup_elem(&pyc_processes, &tgid)) pyc_end_wait(next, now);
  return 0;
}

static inline void pyc_write_lifecycle(pyc_u32 event, pyc_u32 tgid, pyc_u32 parent) {
  struct pyc_lifecycle record = {
      .type = PYC_RECORD_LIFECYCLE, .event = event, .time_ns = bpf_ktime_get_ns(), .tgid = tgid, .parent = parent};
  bpf_ringbuf_output(&pyc_ring, &record, sizeof record, BPF_RB_FORCE_WAKEUP);
}

// No two contents of pyc_processes have the same generation: user space takes even ones.
static pyc_u64 pyc_next_generation = 1;

static inline void pyc_renew(struct pyc_process* process) {
  pyc_u64 generation = __sync_fetch_and_add(&pyc_next_generation, 2);
  process->salt = pyc_mix(process->salt, generation);
  process->generation = generation;
}

// A child is a copy of its parent: what is known of the one holds for the other.
SEC("tp_btf/sched_process_fork")
int BPF_PROG(pyc_on_fork, struct task_struct* parent, struct task_struct* child) {
  pyc_u32 parent_tgid = pyc_tgid_of(parent), tgid = pyc_tgid_of(child);
  if (!pyc_settings.follow_children || parent_tgid == tgid) return 0;
  struct pyc_process* process = bpf_map_lookup_elem(&pyc_processes, &parent_tgid);
  if (!process || bpf_map_update_elem(&pyc_processes, &tgid, process, BPF_ANY)) return 0;
  process = bpf_map_lookup_elem(&pyc_processes, &tgid);
  if (!process) return 0;
  pyc_renew(process);
  pyc_write_lifecycle(PYC_LIFECYCLE_FORK, tgid, parent_tgid);
  return 0;
}

// Another program: user space will say where its Python is.
SEC("tp_btf/sched_process_exec")
int BPF_PROG(pyc_on_exec, struct task_struct* task) {
  pyc_u32 tgid = pyc_tgid_of(task);
  struct pyc_process* process = bpf_map_lookup_elem(&pyc_processes, &tgid);
  if (!process) return 0;
  process->runtime = 0;
  pyc_renew(process);
  pyc_write_lifecycle(PYC_LIFECYCLE_EXEC, tgid, tgid);
  return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(pyc_on_exit, struct task_struct* task) {
  pyc_u32 tid = pyc_tid_of(task), tgid = pyc_tgid_of(task);
  bpf_map_delete_elem(&pyc_waits, &tid);
  if (task->signal->live.counter == 0) bpf_map_delete_elem(&pyc_processes, &tgid);
  return 0;
}

char LICENSE[] SEC("license") = "GPL";

// The kernel side of sampling: the BPF programs, what they know, and their ring.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

#include "analysis/model/result.h"
#include "bpf/include/records.h"
#include "daemon/collect/stack_source.h"
#include "daemon/python/interpreter.h"

namespace pycroscope {

// Loading is the dear part and does not depend on the target: a service keeps one loaded for the next recording. One
// recording each. One owner thread.
class Sampler {
 public:
  static constexpr size_t kRingBytes = size_t{4} << 20;
  static constexpr size_t kMaxRingBytes = size_t{32} << 20;

  // `ring_bytes` is a power of two. Fails with a sentence: rights (kNotPermitted), a kernel that cannot do it.
  static Result<std::unique_ptr<Sampler>> load(size_t ring_bytes = kRingBytes);
  ~Sampler();

  size_t ring_bytes() const;

  // Before the first tick.
  void configure(uint64_t tick_period_ns, bool follow_children, bool read_gil);
  // See pyc_settings.stride.
  void set_stride(uint32_t stride);
  // From now on forks, execs and exits of the processes set below are followed.
  Status follow_lifecycle();
  // From now on their waits are recorded.
  Status follow_waits();
  // For CpuClockEvent::start.
  int thread_tick_program() const;
  int cpu_tick_program() const;

  // Names a process to follow, and where its Python is (null: unknown, or none). Fails when its layout is out of what
  // the programs can follow.
  Status set_process(pid_t tgid, const PythonRuntime* python);
  // Where the asyncio of a process that is followed has its tasks; nothing else about it changes.
  void set_tasks(pid_t tgid, const pyc_tasks& tasks);
  void remove_process(pid_t tgid);

  // A thread waits since before its process was followed. Changes nothing when the kernel side has seen it meanwhile.
  void add_wait(const pyc_wait& wait);

  // Of all ticks so far.
  pyc_counters counters() const;
  const pyc_settings& settings() const;
  // Threads that wait at the moment, with the stacks from which they began.
  void visit_waiting(const std::function<void(const pyc_wait&)>& visit) const;

  // Waits up to `timeout` (the ring wakes us only as it fills up), then visits what is there, some 10^4 records at
  // most.
  Status drain(std::chrono::milliseconds timeout, const RecordVisitor& visit);

 private:
  struct Loaded;
  explicit Sampler(std::unique_ptr<Loaded> loaded);
  // Even numbers: the kernel side takes odd ones.
  uint64_t next_generation() { return generation_ += 2; }

  std::unique_ptr<Loaded> loaded_;
  uint64_t generation_ = 0;
};

}  // namespace pycroscope

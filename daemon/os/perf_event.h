// Clocks that tick: perf events on the time of a CPU or of a thread on CPUs, each tick running a BPF program.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "analysis/model/result.h"
#include "daemon/os/fd.h"

namespace pycroscope {

// A tick that comes late is not made up for.
class CpuClockEvent {
 public:
  enum class Inherit { kThreads, kThreadsAndChildren };

  // Ticks each `period_ns` of CPU time of one thread and of the threads that it starts (and that those start), where
  // asked for also of the processes that they start; whatever programs they execute. Does not tick yet. kTargetGone: no
  // such thread; kNotPermitted; kFailed with a sentence for all else.
  static Result<CpuClockEvent> open(pid_t tid, uint64_t period_ns, Inherit inherit);
  // Ticks each `period_ns` of elapsed time on one CPU, whatever runs there. kNotFound: there is no such CPU, or it is
  // offline.
  static Result<CpuClockEvent> open_cpu(int cpu, uint64_t period_ns);

  // Each tick is to run the loaded program of type BPF_PROG_TYPE_PERF_EVENT.
  Status attach(int bpf_program);
  // Starts to tick, for the first time a period later.
  Status start();
  // No tick happens after this returns.
  Status stop();
  // Time while it ticked, of all threads it covers, those that have ended included.
  Result<uint64_t> cpu_time_ns() const;

 private:
  explicit CpuClockEvent(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace pycroscope

// The clocks of all threads of a process: one event per thread found, which the threads that it starts inherit.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "analysis/model/result.h"
#include "daemon/os/perf_event.h"
#include "daemon/target/process.h"

namespace pycroscope {

// One owner thread.
class ThreadEvents {
 public:
  // Opens and starts events until a scan of the process finds no thread that is new.
  static Result<ThreadEvents> start(std::shared_ptr<const Process> process, uint64_t period_ns,
                                    CpuClockEvent::Inherit inherit, int bpf_program);

  // A thread that appeared while start() was at work either inherited its event or was started by a thread that had
  // none yet, and nothing tells which. Call from time to time: a thread in doubt that has used CPU time without being
  // among `ticked` gets an event of its own. Does nothing once no thread is in doubt.
  Status settle(const std::unordered_set<pid_t>& ticked);
  bool settled() const { return doubtful_.empty(); }

  Status stop();
  // Ticks that should have happened so far, by the CPU time of all threads.
  Result<uint64_t> expected_ticks() const;
  size_t size() const { return events_.size(); }

 private:
  ThreadEvents(std::shared_ptr<const Process> process, uint64_t period_ns, CpuClockEvent::Inherit inherit,
               int bpf_program)
      : process_(std::move(process)), period_ns_(period_ns), inherit_(inherit), bpf_program_(bpf_program) {}
  Status add(pid_t tid);
  std::optional<uint64_t> cpu_time_ns(pid_t tid) const;

  std::shared_ptr<const Process> process_;
  uint64_t period_ns_;
  CpuClockEvent::Inherit inherit_;
  int bpf_program_;
  std::vector<CpuClockEvent> events_;
  std::unordered_map<pid_t, uint64_t> doubtful_;  // CPU time when first seen
};

}  // namespace pycroscope

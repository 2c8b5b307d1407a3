// One thread of a process that is sampled by reads: whether it runs at a tick, and what it waits for.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "daemon/collect/remote_walker.h"
#include "daemon/collect/tick_grid.h"
#include "daemon/target/thread_files.h"

namespace pycroscope {

// One owner thread.
class ReadThread {
 public:
  ReadThread(pid_t tid, ThreadFiles files) : tid_(tid), files_(std::move(files)) {}

  enum class Activity {
    kRuns,        // on a CPU
    kReady,       // for one
    kWaits,       // since the last look, or for a wait that is new
    kStillWaits,  // has not run since the last look
    kEnded,
  };
  // What it does now. `period_ns`: how much of its CPU time a tick stands for. A thread that is ready to run and one
  // that runs look the same: it counts as running as often as its CPU time allows.
  Activity look(uint64_t period_ns);
  // A sample was taken that stands for so many ticks.
  void charge(uint32_t ticks) { credit_ -= ticks; }
  // The next look will not find it still waiting.
  void look_anew() { waited_ = false; }

  pid_t tid() const { return tid_; }
  const ThreadActivity& state() const { return state_; }  // as of the last look that did not find it still waiting

  // Whether it has been on a CPU since the last time this was asked.
  bool was_active();

  struct Wait {
    RemoteStack stack;
    uint64_t first_tick = 0;
  };
  std::optional<Wait> wait;  // that lasts

 private:
  pid_t tid_;
  ThreadFiles files_;
  ThreadTimes times_;
  ThreadTimes scanned_;
  ThreadActivity state_;
  bool is_new_ = true;
  bool waited_ = false;
  double credit_ = 0;  // ticks of CPU time that no sample was taken for yet
};

}  // namespace pycroscope

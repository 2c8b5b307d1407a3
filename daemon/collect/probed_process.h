// One process of a trace: its probe, and the threads that write.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include "daemon/collect/thread_table.h"
#include "daemon/collect/trace_drain.h"
#include "daemon/inject/probe.h"
#include "daemon/python/interpreter.h"
#include "daemon/target/live_memory.h"
#include "daemon/target/process.h"

namespace pycroscope {

// One owner thread. `drain` is given to all of its functions, and is the same each time.
class ProbedProcess {
 public:
  // It writes from when this returns; `at` as in Probe::load().
  static Result<std::unique_ptr<ProbedProcess>> start(std::shared_ptr<const Process> process,
                                                      const PythonRuntime& python, const ProbePlan& plan,
                                                      const TickClock& clock, std::optional<RemoteThread> at,
                                                      EventSink& sink, TraceDrain& drain);
  // A child `pid` of this one that was forked, and writes since then. `process`: null when it has ended already.
  std::unique_ptr<ProbedProcess> adopt(Probe& root, const Probe::Child& child, pid_t pid,
                                       std::shared_ptr<const Process> process, EventSink& sink,
                                       TraceDrain& drain) const;

  pid_t pid() const { return pid_; }
  bool alive() const { return pid_ == process_->pid() && process_->alive(); }
  Probe& probe() { return *probe_; }
  // Of a child that was adopted, its number with the root.
  std::optional<uint32_t> child_number() const { return child_number_; }
  // It has ended, and all that it wrote was handed on.
  bool has_finished(const TraceDrain& drain) const { return !alive() && drain.has_finished(number_); }
  uint32_t number() const { return number_; }  // in the drain

  // Takes in threads that have begun to write.
  void admit(Symbols& symbols, TraceDrain& drain);
  // Names threads, adds what could not be recorded.
  void update(int64_t now_ns, EventSink& sink);
  // A ring whose thread has ended is another thread's, one round after the last of it was read.
  void look_for_ended(TraceDrain& drain);
  // Nobody writes any more.
  void finish(TraceDrain& drain);

 private:
  struct Writer {
    ThreadId id{};
    pid_t tid = 0;
    bool is_gone = false;
  };

  ProbedProcess(pid_t pid, std::shared_ptr<const Process> process, const PythonRuntime& python,
                const ProbedProcess* parent, Symbols& symbols);
  pid_t outer_id(pid_t inner) const;

  const pid_t pid_;
  const std::shared_ptr<const Process> process_;  // its parent where it ended before anybody looked
  const PythonRuntime python_;
  const LiveMemory memory_;
  const ProcessId id_;
  ThreadNameReader names_;
  ThreadTable threads_;
  std::unique_ptr<Probe> probe_;
  std::optional<uint32_t> child_number_;
  uint32_t number_ = 0;                 // in the drain
  std::map<uint32_t, Writer> writers_;  // by the number of their ring
  uint64_t unrecorded_ = 0;
};

}  // namespace pycroscope

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

  const Process& process() const { return *process_; }
  Probe& probe() { return *probe_; }

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

  ProbedProcess(std::shared_ptr<const Process> process, const PythonRuntime& python, Symbols& symbols);
  pid_t outer_id(pid_t inner) const;

  const std::shared_ptr<const Process> process_;
  const PythonRuntime python_;
  const LiveMemory memory_;
  ThreadNameReader names_;
  ThreadTable threads_;
  std::unique_ptr<Probe> probe_;
  uint32_t number_ = 0;                 // in the drain
  std::map<uint32_t, Writer> writers_;  // by the number of their ring
  uint64_t unrecorded_ = 0;
};

}  // namespace pycroscope

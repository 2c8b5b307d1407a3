// The probe in a running process: put in, and taken out again.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "analysis/model/result.h"
#include "daemon/inject/target_functions.h"
#include "daemon/os/remote_thread.h"
#include "daemon/os/shared_memory.h"
#include "daemon/os/tick_clock.h"
#include "daemon/probe/probe.h"
#include "daemon/python/interpreter.h"
#include "daemon/target/live_memory.h"
#include "daemon/target/process.h"

namespace pycroscope {

// What a probe is to record, and how.
struct ProbePlan {
  uint32_t collectors = 0;  // pyc_probe_collector
  pyc_ring_on_full on_full = PYC_RING_DROP;
  uint64_t max_hits = 0;                      // of a line or instruction; 0: any
  std::vector<std::string> include, exclude;  // globs of files, at most kMaxGlobBytes together
  uint64_t origin = 0;                        // of the times in the rings: a tick of the clock

  static constexpr size_t kMaxGlobBytes = 4000;
};

// A thread that is blocked in a system call makes a thread of the probe's, whichever it is; where none is, the main
// thread is stopped and does it at the next point where Python executes pending calls. Nothing is loaded by the
// target's own dynamic linker, and no file has to be there. The process stands still for well below a millisecond, and
// only one thread of it.
//
// One owner thread.
class Probe {
 public:
  static constexpr uint32_t kThreadSlots = 1u << 17, kDefinitionSlots = 1u << 17;

  // Puts it in and lets it record, which it does when this returns. `clock` outlives it. `at`: a thread that stands
  // still and holds the GIL, which does it all; it goes on afterwards. kTargetGone, kNotPermitted; kFailed with a
  // sentence that says why it cannot be traced.
  static Result<std::unique_ptr<Probe>> load(std::shared_ptr<const Process> process, const PythonRuntime& python,
                                             const ProbePlan& plan, const TickClock& clock,
                                             std::optional<RemoteThread> at = std::nullopt);
  // Without remove() the probe takes its hooks out by itself, a second after whoever is to read what it records has
  // gone or stands still.
  ~Probe();
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  // Takes its hooks out. kFailed when it could not be reached: it does so by itself then, at the next event.
  // `meanwhile` is called again and again: to read the rings, for whose room a thread may wait.
  Status remove(const std::function<void()>& meanwhile);

  // Until a ring begins to fill, at most so long.
  void wait(std::chrono::milliseconds timeout);

  // Whether its hooks are in, and if not, why; nothing of it can be believed.
  bool records() const;
  std::string message() const;
  // Events of threads for which there was no ring.
  uint64_t unrecorded() const;

  // The memory of rings: of definitions, and of a thread's, by its number.
  std::span<std::byte> definitions() const;
  std::span<std::byte> ring(uint32_t number) const;
  std::span<pyc_probe_thread> threads() const { return control().threads; }
  // A ring whose thread has gone and all of which was read is there for another.
  void reuse(uint32_t number);

 private:
  Probe(std::shared_ptr<const Process> process, const PythonRuntime& python, const ProbePlan& plan,
        const TickClock& clock);
  pyc_probe_control& control() const;
  Status prepare(TargetFunctions functions, RemoteThread& thread);
  void plan_control();
  Status start(RemoteThread& at);
  Status start();
  Status begin(uint64_t command);
  Status execute(uint64_t command, bool (Probe::*is_done)() const, std::chrono::milliseconds patience,
                 const std::function<void()>& meanwhile);
  void start_heart();
  void stop_heart();
  bool has_started() const;
  bool has_ended() const;

  std::shared_ptr<const Process> process_;
  const LiveMemory memory_;
  const ProbePlan plan_;
  pyc_probe_layout layout_{};
  uint32_t free_threaded_;
  const TickClock& clock_;
  std::vector<MapEntry> c_library_;
  uint64_t add_pending_call_ = 0, system_call_ = 0;
  uint64_t pending_ = 0, start_thread_ = 0, trap_ = 0;  // of the image
  uint64_t record_ = 0, stop_ = 0;                      // commands in the target
  std::optional<SharedMemory> shared_;
  uint32_t wakes_seen_ = 0;
  std::jthread heart_;  // tells the probe that we are there
};

}  // namespace pycroscope

// The probe in a running process: put in, and taken out again.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "analysis/model/result.h"
#include "daemon/inject/heart.h"
#include "daemon/inject/probe_image.h"
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
  bool with_children = false;                 // that are forked

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
  // Children that were forked, have told of something, and belong to nobody yet.
  struct Child {
    uint32_t number;
    pid_t pid, parent_pid;  // in their pid namespace
  };
  std::vector<Child> new_children() const;
  // The probe that a child has of its parent; once that object is gone, disown() makes its number another's.
  std::unique_ptr<Probe> adopt(const Child& child, std::shared_ptr<const Process> process);
  void disown(uint32_t number);
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
  std::span<pyc_probe_thread> threads() const { return std::span(control().threads).first(thread_count_); }

  // A ring whose thread has gone and all of which was read is there for another.
  void reuse(uint32_t number);

 private:
  // Where it is in the target: the same in a child that was forked.
  struct Site {
    std::vector<MapEntry> c_library;
    uint64_t add_pending_call = 0, system_call = 0;
    uint64_t pending = 0, start_thread = 0, trap = 0;  // of the image
    uint64_t record = 0, stop = 0;                     // commands
    uint64_t base = 0;
    std::vector<std::byte> beginning;  // of what is there
  };

  Probe(std::shared_ptr<const Process> process, const ProbePlan& plan, const TickClock& clock);
  pyc_probe_control& control() const;
  std::span<std::byte> child_area(uint32_t number) const;
  Status prepare(TargetFunctions functions, const PythonRuntime& python, RemoteThread& thread);
  void plan_area(std::span<std::byte> area, uint32_t thread_count) const;
  Status start(RemoteThread& at);
  Status start();
  Status begin(uint64_t command, bool& is_queued);
  Result<std::optional<ProbeImage>> find_resident() const;
  Status execute(uint64_t command, bool (Probe::*is_done)() const, std::chrono::milliseconds patience,
                 const std::function<void()>& meanwhile);
  bool is_in_place() const;
  bool has_started() const;
  bool has_ended() const;

  std::shared_ptr<const Process> process_;
  const LiveMemory memory_;
  const ProbePlan plan_;
  const TickClock& clock_;
  Site site_;
  std::shared_ptr<SharedMemory> shared_;
  std::span<std::byte> area_;  // its own, of the shared memory
  uint32_t thread_count_ = 0;
  std::shared_ptr<Heart> heart_;
  std::vector<bool> adopted_;  // by the number of a child
  uint32_t wakes_seen_ = 0;
};

}  // namespace pycroscope

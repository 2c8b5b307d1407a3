// The stack of one thread of a running process by reads from outside: nothing is stopped or written. All that a stack
// consists of is read several times, and only what is the same each time counts as a stack.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "bpf/include/records.h"
#include "daemon/collect/remote_threads.h"
#include "daemon/collect/stack_source.h"
#include "daemon/python/frames.h"
#include "daemon/python/gil.h"
#include "daemon/python/interpreter.h"
#include "daemon/target/memory_snapshot.h"
#include "daemon/target/process.h"
#include "daemon/target/thread_files.h"

namespace pycroscope {

struct RemoteStack {
  pyc_sample sample{};            // complete but for times, the instruction and what the thread waits for
  std::vector<pyc_frame> frames;  // leaf first, sample.frame_count of them
  std::optional<GilState> gil;    // that the thread needs, where it could be read

  // A stack without Python frames.
  void reset(pid_t pid, pid_t tid);
  // The thread waits as `state` says.
  void describe_wait(const ThreadActivity& state);
};

// One owner thread. What it is given must outlive it.
class RemoteWalker {
 public:
  RemoteWalker(const Process& process, const TargetMemory& memory, const PythonRuntime& python);

  // Why there is no stack, or PYC_OK. `visit` gets a PYC_RECORD_CODE for each code object that comes for the first
  // time. A thread without Python frames has an empty stack with PYC_SAMPLE_NO_PYTHON.
  pyc_error walk(pid_t tid, const RecordVisitor& visit, RemoteStack& stack);
  // The threads that hold a GIL: at most one for each.
  std::vector<pid_t> gil_holders();
  // The thread has ended.
  void forget(pid_t tid);

 private:
  // A target that calls and returns all the time is caught at the same moments of its round now and then, and a mixture
  // of two stacks looks like one. The worst that we know does so in half a percent of pairs of readings, and each
  // reading more makes it twenty times rarer. Most targets are not like that: a thread is read as often as it has shown
  // to need.
  static constexpr size_t kFewReadings = 3, kManyReadings = 6;

  struct Habits {
    ReadHabit stack, rest;
    std::vector<std::byte> task;      // as in the last attempt
    size_t readings = kManyReadings;  // of the next attempt
  };
  struct Identified {
    uint64_t identity;
    uint64_t bytecode_size;
  };
  enum class Outcome { kDone, kAgain, kOtherThread };

  Outcome attempt(const RemoteThread& thread, Habits& habits, RemoteStack& stack);
  void capture(MemorySnapshot& reading, const Habits& habits, bool with_rest);
  pyc_error read_stack(const RemoteThread& thread, const Habits& habits);
  pyc_error read_once(const RemoteThread& thread, const Habits& habits, MemorySnapshot& reading);
  pyc_error identify(const RemoteThread& thread, Habits& habits, RemoteStack& stack);
  pyc_error identify_once(RemoteStack& stack);
  std::expected<Identified, pyc_error> identify(RemoteAddress code);
  void read_gil(const RemoteThread& thread, RemoteStack& stack) const;
  void visit_codes(const RecordVisitor& visit, const RemoteStack& stack);
  pyc_error check_task(Habits& habits, RemoteStack& stack) const;
  void visit_task(const RecordVisitor& visit, const RemoteStack& stack);

  const TargetMemory& memory_;
  const PythonRuntime& python_;
  const pid_t pid_;
  RemoteThreads threads_;
  std::unordered_map<pid_t, Habits> habits_;
  std::vector<MemorySnapshot> all_readings_;  // of what a stack consists of
  std::span<MemorySnapshot> readings_;        // those of the last attempt
  MemorySnapshot rest_;                       // of what it leads to
  std::vector<TargetMemory::Range> ranges_;
  // Of the last attempt:
  pyc_error error_ = PYC_OK;
  PythonThread walked_;
  std::vector<std::byte> first_task_, task_;  // PYC_RECORD_TASK, empty: none; of the first and the last reading
  std::unordered_map<uint64_t, std::expected<Identified, pyc_error>> identified_;  // by address
  // By address, in the last attempt that saw it: a code object that is now as it was before the stack was read has been
  // there all the time.
  std::unordered_map<uint64_t, uint64_t> known_;
  std::unordered_set<uint64_t> visited_;  // identities
};

}  // namespace pycroscope

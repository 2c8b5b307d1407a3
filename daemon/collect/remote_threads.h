// From a thread of the kernel to its PyThreadState, by what the target's memory says.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "daemon/python/interpreter.h"
#include "daemon/target/process.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

struct RemoteThread {
  RemoteAddress tstate;
  uint64_t thread_id = 0;  // pthread_self()
};

// One owner thread. What it is given must outlive it.
class RemoteThreads {
 public:
  RemoteThreads(const Process& process, const TargetMemory& memory, const PythonRuntime& python)
      : process_(process), memory_(memory), python_(python) {}

  // The thread state of a thread, as far as it was there at the last look at the interpreter's lists; looks again for
  // a thread that is not known, but less and less often for one that has no Python. Fails with kMemory when the lists,
  // which change all the time, could not be read.
  Result<std::optional<RemoteThread>> find(pid_t tid);
  // The other way round. Nothing: not a thread state that was there at the last look.
  std::optional<pid_t> tid_of(RemoteAddress tstate);
  // A thread state of each interpreter that has any.
  const std::vector<RemoteAddress>& one_of_each_interpreter();
  // Whether `thread` is still linked and still that of its thread: a freed one is not. Reads through `memory`.
  bool holds(const TargetMemory& memory, const RemoteThread& thread) const;
  // What is known of thread `tid` is not true any more.
  void forget(pid_t tid);

 private:
  // Reads the lists of all interpreters, unless that was done a moment ago.
  Status look_again();
  Status look();
  // What the target calls its thread `tid`: another number where it has a pid namespace of its own.
  uint64_t own_tid(pid_t tid);
  // Of a thread whose thread state does not say.
  uint64_t tid_of_pthread(uint64_t thread_id);

  const Process& process_;
  const TargetMemory& memory_;
  const PythonRuntime& python_;
  std::unordered_map<uint64_t, RemoteThread> by_own_tid_;
  std::unordered_map<pid_t, uint64_t> own_tids_;
  std::optional<std::unordered_set<uint64_t>> all_own_tids_;  // of one look
  std::unordered_map<uint64_t, uint64_t> own_tid_of_;         // by thread state
  std::vector<RemoteAddress> one_of_each_;
  struct Missing {
    int64_t next_look_ns = 0;
    int64_t pause_ns = 0;
  };
  std::unordered_map<pid_t, Missing> missing_;
  int64_t looked_ns_ = 0;
};

}  // namespace pycroscope

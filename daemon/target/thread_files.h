// What the kernel says of a thread while it goes on: files of /proc/PID/task/TID, kept open because they are read at
// each tick.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "analysis/model/result.h"
#include "daemon/os/fd.h"

namespace pycroscope {

// The threads of a process, in order; empty when it has ended.
std::vector<pid_t> thread_ids(pid_t pid);

struct ThreadTimes {
  uint64_t on_cpu_ns = 0;  // of a thread that runs, up to the scheduler's last tick
  uint64_t turns = 0;      // on a CPU
  bool operator==(const ThreadTimes&) const = default;
};

struct ThreadActivity {
  bool runs = false;                // on a CPU or ready to
  std::optional<uint32_t> syscall;  // that it waits in; nothing: in none (a page fault), or not known
  uint64_t argument = 0;            // of the call, the first
  uint64_t instruction = 0;         // its address in the program, 0: not known
};

// One owner thread.
class ThreadFiles {
 public:
  // kTargetGone: there is no such thread; kNotPermitted: whose memory we may not read, of that we may not know what it
  // waits for either.
  static Result<ThreadFiles> open(pid_t pid, pid_t tid);

  // Nothing: the thread has ended.
  std::optional<ThreadTimes> times() const;
  std::optional<ThreadActivity> state() const;

 private:
  ThreadFiles(Fd schedstat, Fd syscall) : schedstat_(std::move(schedstat)), syscall_(std::move(syscall)) {}
  Fd schedstat_;
  Fd syscall_;
};

}  // namespace pycroscope

// A process of this machine, named for good by (pid, start time) and held by a pidfd.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "analysis/model/result.h"
#include "daemon/os/fd.h"

namespace pycroscope {

// Real, effective, saved and file-system ids of /proc/PID/status.
struct ProcessIds {
  uid_t uid[4];
  gid_t gid[4];
};

struct ThreadEntry {
  pid_t tid = 0;
  std::string name;  // /proc/PID/task/TID/comm
  char state = '?';  // as in /proc/PID/task/TID/stat
};

class Process {
 public:
  // kTargetGone: no such process, or a zombie. kFailed: a kernel thread, or `pid` is a thread id (the sentence names
  // the process to use instead).
  static Result<Process> open(pid_t pid);

  // A process that has ended before it could be opened: a name only, reads of it fail.
  static Process ended(pid_t pid) { return Process(pid, 0, Fd()); }

  pid_t pid() const { return pid_; }
  uint64_t start_time_ticks() const { return start_time_ticks_; }
  const Fd& pidfd() const { return pidfd_; }  // readable when the process has ended
  bool alive() const;

  pid_t parent() const;                // 0: not known
  Result<std::string> cgroup() const;  // its path in the unified hierarchy
  Result<ProcessIds> ids() const;
  Result<std::vector<std::string>> command() const;
  Result<std::vector<ThreadEntry>> threads() const;
  Result<std::string> executable() const;  // as the target sees it; " (deleted)" stripped
  Result<std::string> working_directory() const;
  Result<std::vector<std::string>> environment() const;  // "NAME=value"
  // A path of ours that reaches `path` as the target sees it: /proc/PID/root + path.
  std::string reach(const std::string& path) const;

 private:
  Process(pid_t pid, uint64_t start_time_ticks, Fd pidfd)
      : pid_(pid), start_time_ticks_(start_time_ticks), pidfd_(std::move(pidfd)) {}
  pid_t pid_ = 0;
  uint64_t start_time_ticks_ = 0;
  Fd pidfd_;
};

}  // namespace pycroscope

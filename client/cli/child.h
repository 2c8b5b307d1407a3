// The child that `run` starts: a process of our own that waits with its program until it is released.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "analysis/model/result.h"
#include "daemon/os/fd.h"

namespace pycroscope {

// To be made before any other thread is. Its signals, terminal and descriptors are ours: Ctrl-C reaches it as it would
// without us, signals that are sent to us alone are passed on to it.
class Child {
 public:
  // Not yet the program: a copy of this process, which waits. kFailed when there can be no more processes.
  static Result<std::unique_ptr<Child>> start(std::vector<std::string> command);
  // Without release() the program never runs.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  // Calls `on_end` on a thread of its own when the child has ended.
  void watch(std::function<void()> on_end);
  // Executes the program. 0, or the errno of why it could not be.
  int release();
  // Waits for its end. Its exit code, 128+N after signal N.
  int wait();

 private:
  Child(pid_t pid, Fd go, Fd failure) : pid_(pid), go_(std::move(go)), failure_(std::move(failure)) {}
  void serve_signals(const std::function<void()>& on_end);

  pid_t pid_;
  Fd go_;       // a byte releases the child, the end of the stream ends it
  Fd failure_;  // the errno of a failed exec, nothing after a good one
  std::thread thread_;
  int status_ = 0;  // of waitpid(), once thread_ has ended
};

}  // namespace pycroscope

// A process at a standstill, for as long as an object lives.
#pragma once

#include <sys/types.h>

#include <memory>
#include <vector>

#include "analysis/model/result.h"
#include "daemon/os/stopped_thread.h"

namespace pycroscope {

// All threads of a process, stopped by PTRACE_SEIZE and PTRACE_INTERRUPT. The threads are traced by a thread of the
// object's own, whose end makes the kernel let go of all of them: however this object ends (an error halfway, a crash
// of the whole daemon), no target stays behind stopped, and no signal is lost.
//
// To the target it looks as if it had not been scheduled for a while: a system call that it was blocked in goes on by
// the kernel's restart; only calls that never restart, whatever stops the process (epoll_wait, io_getevents,
// sigtimedwait and the like: signal(7)), fail with EINTR, which Python retries. A process that was stopped by a signal
// before stays so.
//
// Any thread may use the object, one at a time. In the daemon nobody waits for "any child" (waitpid(-1) without
// __WNOTHREAD), which would see these threads too.
class ProcessStop {
 public:
  // Returns when no thread of `pid` runs any user code. kTargetGone: there is no such process; kNotPermitted: the
  // kernel does not let us trace it (the sentence says what to do); kFailed: another tracer is there (the sentence
  // names it), or a thread did not stop within a second.
  static Result<ProcessStop> stop(pid_t pid);

  ProcessStop(ProcessStop&&) noexcept;
  ProcessStop& operator=(ProcessStop&&) noexcept;
  ~ProcessStop();

  // By ascending tid.
  const std::vector<StoppedThread>& threads() const;

  // Lets all threads go on, delivering what signals came meanwhile. Returns when they run. Again: no effect.
  void resume();

 private:
  struct Tracer;
  explicit ProcessStop(std::unique_ptr<Tracer> tracer);
  std::unique_ptr<Tracer> tracer_;
};

}  // namespace pycroscope

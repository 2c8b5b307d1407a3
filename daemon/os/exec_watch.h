// A process followed, as its tracer, through the programs that it executes, each of which can be stopped at a place.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <vector>

#include "analysis/model/result.h"
#include "daemon/os/remote_thread.h"

namespace pycroscope {

// Used and destroyed by the thread that made it. The process runs on, but where poll() says that it stands. Whoever is
// gone without the destructor leaves the process alone as well, unless a place is set: that would end it.
class ExecWatch {
 public:
  enum class Event {
    kExecuted,  // another program begins: nothing of it has run; it stands still
    kArrived,   // it stands at place(), one of those that were set, none of which is set any more
    kEnded,
  };

  // A process with one thread. kTargetGone, kNotPermitted, kFailed as RemoteThread::stop().
  static Result<ExecWatch> begin(pid_t pid);

  ExecWatch(ExecWatch&& other) noexcept;
  ExecWatch& operator=(ExecWatch&&) = delete;
  // Lets the process go.
  ~ExecWatch();

  // What has happened, if anything. To be called every few milliseconds: signals go through here.
  std::optional<Event> poll();
  // While it stands: lets it run on, until it comes to one of these addresses of instructions.
  Status go_on(std::initializer_list<uint64_t> places);
  uint64_t place() const { return place_; }
  // While it stands where a function begins: where that returns to.
  Result<uint64_t> return_address() const;
  // While it stands: its thread, with which the watch ends.
  Result<RemoteThread> take();

 private:
  explicit ExecWatch(pid_t pid) : pid_(pid) {}
  Status set_place(uint64_t place);
  void clear_places();
  std::optional<Event> pass(int signal);

  pid_t pid_;  // 0: it is not ours (any more)
  bool stands_ = false;
  struct Breakpoint {
    uint64_t place;
    long byte;  // that was there
  };
  std::vector<Breakpoint> breakpoints_;
  uint64_t place_ = 0;
};

}  // namespace pycroscope

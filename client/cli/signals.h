// Ctrl-C, SIGTERM and SIGHUP as a call on a thread of their own, for commands that have something to finish.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <thread>

namespace pycroscope {

// From construction on (before any other thread starts: they inherit that the signals are blocked) the first signal
// calls `on_first`, on the watch's thread. The second one ends the process at once with 128 + its number.
class SignalWatch {
 public:
  // SIGUSR1 calls `on_user`, each time, when there is one.
  explicit SignalWatch(std::function<void()> on_first, std::function<void()> on_user = nullptr);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  // The first signal, 0 when none came. Any thread.
  int received() const { return received_; }

 private:
  void run();

  std::function<void()> on_first_, on_user_;
  std::atomic<int> received_ = 0;
  std::atomic<bool> ending_ = false;
  std::thread thread_;
};

}  // namespace pycroscope

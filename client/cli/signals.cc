#include "client/cli/signals.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <utility>

namespace pycroscope {
namespace {

sigset_t watched() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
  return set;
}

}  // namespace

SignalWatch::SignalWatch(std::function<void()> on_first) : on_first_(std::move(on_first)) {
  const sigset_t set = watched();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  thread_ = std::thread([this] { run(); });
}

SignalWatch::~SignalWatch() {
  ending_ = true;
  ::pthread_kill(thread_.native_handle(), SIGTERM);  // wakes sigwait()
  thread_.join();
  // The signals stay blocked: what is left of the command is short, and must not be cut in half.
}

void SignalWatch::run() {
  const sigset_t set = watched();
  while (true) {
    int signal = 0;
    if (::sigwait(&set, &signal) != 0) continue;
    if (ending_) return;
    if (received_ != 0) ::_exit(128 + signal);
    received_ = signal;
    on_first_();
  }
}

}  // namespace pycroscope

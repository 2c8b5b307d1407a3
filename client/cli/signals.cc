#include "client/cli/signals.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <utility>

namespace pycroscope {
namespace {

sigset_t watched(bool user) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
  if (user) sigaddset(&set, SIGUSR1);
  return set;
}

}  // namespace

SignalWatch::SignalWatch(std::function<void()> on_first, std::function<void()> on_user)
    : on_first_(std::move(on_first)), on_user_(std::move(on_user)) {
  const sigset_t set = watched(on_user_ != nullptr);
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
  const sigset_t set = watched(on_user_ != nullptr);
  while (true) {
    int signal = 0;
    if (::sigwait(&set, &signal) != 0) continue;
    if (ending_) return;
    if (signal == SIGUSR1) {
      on_user_();
      continue;
    }
    if (received_ != 0) ::_exit(128 + signal);
    received_ = signal;
    on_first_();
  }
}

}  // namespace pycroscope

#include "daemon/inject/heart.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>

namespace pycroscope {
namespace {

constexpr std::chrono::milliseconds kPause{100};

}  // namespace

Heart::Heart(const TickClock& clock) : clock_(clock) {
  thread_ = std::jthread([this](const std::stop_token& stop) {
    std::condition_variable_any stopped;
    std::unique_lock lock(mutex_);
    while (!stopped.wait_for(lock, stop, kPause, [&stop] { return stop.stop_requested(); })) beat();
  });
}

void Heart::beat() {
  for (pyc_probe_control* control : controls_) __atomic_store_n(&control->heartbeat, clock_.now(), __ATOMIC_RELAXED);
}

void Heart::add(pyc_probe_control& control) {
  const std::lock_guard lock(mutex_);
  controls_.push_back(&control);
  beat();
}

void Heart::stop(pyc_probe_control& control) {
  const std::lock_guard lock(mutex_);
  if (std::erase(controls_, &control) != 0) __atomic_store_n(&control.heartbeat, 0, __ATOMIC_RELAXED);
}

}  // namespace pycroscope

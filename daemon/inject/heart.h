// Tells probes that we are there: without it they remove their hooks.
#pragma once

#include <mutex>
#include <thread>
#include <vector>

#include "daemon/os/tick_clock.h"
#include "daemon/probe/probe.h"

namespace pycroscope {

// A thread of its own. Any thread may add and stop.
class Heart {
 public:
  // `clock` outlives it.
  explicit Heart(const TickClock& clock);

  // Beats for this one at once and from now on.
  void add(pyc_probe_control& control);
  // Does not any more: the probe removes its hooks with its next event.
  void stop(pyc_probe_control& control);

 private:
  void beat();

  const TickClock& clock_;
  std::mutex mutex_;
  std::vector<pyc_probe_control*> controls_;
  std::jthread thread_;
};

}  // namespace pycroscope

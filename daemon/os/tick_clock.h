// The cheapest clock that can be read in another process's threads, and what its ticks are in CLOCK_MONOTONIC.
#pragma once

#include <cstdint>

namespace pycroscope {

// One owner thread, but that anybody may ask for now().
class TickClock {
 public:
  // The time stamp counter where the kernel itself keeps time by it, else CLOCK_MONOTONIC.
  TickClock();

  bool counts_tsc() const { return counts_tsc_; }
  uint64_t now() const;
  uint64_t ticks_of_ns(int64_t ns) const;

  // Reads both clocks: from now on what lies between this look and the first one is known within some ten nanoseconds,
  // and what lies about them nearly as well.
  void look();
  int64_t monotonic_ns(uint64_t ticks) const {
    return first_.ns +
           static_cast<int64_t>(static_cast<double>(static_cast<int64_t>(ticks - first_.ticks)) * ns_a_tick_);
  }
  double ns_a_tick() const { return ns_a_tick_; }

 private:
  struct Reading {
    uint64_t ticks = 0;
    int64_t ns = 0;
  };
  Reading read() const;

  bool counts_tsc_;
  double ns_a_tick_ = 1;
  Reading first_;
};

}  // namespace pycroscope

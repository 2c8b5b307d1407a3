// Ticks at a fixed rate, as moments of a grid.
#pragma once

#include <cstdint>

namespace pycroscope {

struct TickGrid {
  static constexpr uint64_t kNever = ~uint64_t{0};  // an origin before which all is

  uint64_t origin_ns = 0;  // of tick 0, CLOCK_MONOTONIC
  uint64_t period_ns = 1;

  uint64_t time_of(uint64_t tick) const { return origin_ns + tick * period_ns; }
  // The last tick at or before a moment that is not before the origin.
  uint64_t tick_at(uint64_t time_ns) const { return (time_ns - origin_ns) / period_ns; }
  // The first tick after a moment.
  uint64_t tick_after(uint64_t time_ns) const { return time_ns < origin_ns ? 0 : tick_at(time_ns) + 1; }
  // In (begin, end].
  uint64_t between(uint64_t begin_ns, uint64_t end_ns) const {
    return end_ns < begin_ns ? 0 : tick_after(end_ns) - tick_after(begin_ns);
  }
  // Every stride-th tick of this one.
  TickGrid coarser(uint32_t stride) const { return {origin_ns, period_ns * stride}; }
};

}  // namespace pycroscope

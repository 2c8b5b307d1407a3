#include "daemon/os/tick_clock.h"

#include <x86intrin.h>

#include <chrono>
#include <thread>

#include "daemon/os/clock.h"
#include "daemon/os/file.h"

namespace pycroscope {
namespace {

constexpr int64_t kLongEnoughNs = 1'000'000;  // for a first idea of how long a tick is
constexpr int64_t kNewStartNs = 1'000'000'000;

bool kernel_counts_tsc() {
  const auto source = read_file("/sys/devices/system/clocksource/clocksource0/current_clocksource", 64);
  return source && source->starts_with("tsc\n");
}

}  // namespace

TickClock::TickClock() : counts_tsc_(kernel_counts_tsc()), first_(read()) {
  if (!counts_tsc_) return;
  std::this_thread::sleep_for(std::chrono::nanoseconds(kLongEnoughNs));
  look();
}

uint64_t TickClock::now() const { return counts_tsc_ ? __rdtsc() : static_cast<uint64_t>(pycroscope::monotonic_ns()); }

uint64_t TickClock::ticks_of_ns(int64_t ns) const {
  return static_cast<uint64_t>(static_cast<double>(ns) / ns_a_tick_);
}

// Of several tries the one in which least time passed meanwhile.
TickClock::Reading TickClock::read() const {
  Reading best;
  uint64_t best_width = ~uint64_t{0};
  for (int i = 0; i < 4; ++i) {
    const uint64_t before = now();
    const int64_t ns = pycroscope::monotonic_ns();
    const uint64_t width = now() - before;
    if (width >= best_width) continue;
    best_width = width;
    best = {before + width / 2, ns};
  }
  return best;
}

// Both clocks drift against each other, so that an early first look is given up for a later one.
void TickClock::look() {
  if (!counts_tsc_) return;
  const Reading now = read();
  if (now.ns - first_.ns < kLongEnoughNs) return;
  ns_a_tick_ = static_cast<double>(now.ns - first_.ns) / static_cast<double>(now.ticks - first_.ticks);
  if (now.ns - first_.ns > kNewStartNs) first_ = now;
}

}  // namespace pycroscope

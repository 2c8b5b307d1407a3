#include "daemon/os/tick_clock.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "daemon/os/clock.h"

namespace pycroscope {
namespace {

// A reading of the ticks lies between two of CLOCK_MONOTONIC, and so does what it is said to be.
TEST(TickClockTest, TellsTheTimeOfATick) {
  TickClock clock;
  for (int i = 0; i < 100; ++i) {
    clock.look();
    const int64_t before = monotonic_ns();
    const uint64_t ticks = clock.now();
    const int64_t after = monotonic_ns();
    constexpr int64_t kClose = 2000;
    EXPECT_GE(clock.monotonic_ns(ticks), before - kClose);
    EXPECT_LE(clock.monotonic_ns(ticks), after + kClose);
    std::this_thread::sleep_for(std::chrono::milliseconds(i % 10));
  }
}

TEST(TickClockTest, CountsDurations) {
  TickClock clock;
  const uint64_t second = clock.ticks_of_ns(1'000'000'000);
  EXPECT_NEAR(static_cast<double>(second) * clock.ns_a_tick(), 1e9, 10);
  const uint64_t now = clock.now();
  EXPECT_NEAR(static_cast<double>(clock.monotonic_ns(now + second) - clock.monotonic_ns(now)), 1e9, 10);
}

}  // namespace
}  // namespace pycroscope

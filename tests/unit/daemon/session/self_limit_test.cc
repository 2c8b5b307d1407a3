#include "daemon/session/self_limit.h"

#include <gtest/gtest.h>

namespace pycroscope {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;

class SelfLimitTest : public ::testing::Test {
 protected:
  static v1::RecordingConfig config() {
    v1::RecordingConfig config;
    config.set_rate_hz(1000);
    config.set_max_cpu_percent(5);
    config.set_max_memory_bytes(1'000'000);
    return config;
  }

  // A second passes in which so much of a core is used.
  uint32_t second(double cpu, uint64_t memory_bytes = 0) {
    use_.time_ns += kSecondNs;
    use_.cpu_ns += static_cast<int64_t>(cpu * kSecondNs);
    use_.memory_bytes = memory_bytes;
    return limit_.stride(use_, allowance_);
  }

  double allowance_ = 100;
  SelfUse use_{.time_ns = 7 * kSecondNs, .cpu_ns = 3 * kSecondNs, .memory_bytes = 0};
  SelfLimit limit_{config(), use_};
};

TEST_F(SelfLimitTest, LeavesWhoIsModestAlone) {
  for (int i = 0; i < 100; ++i) EXPECT_EQ(second(0.049, 1'000'000), 1U);
  EXPECT_FALSE(limit_.exhausted());
}

TEST_F(SelfLimitTest, HalvesTheRateUntilTheCpuIsEnough) {
  EXPECT_EQ(second(0.20), 2U);
  EXPECT_EQ(second(0.10), 4U);
  EXPECT_EQ(second(0.05), 4U);
}

TEST_F(SelfLimitTest, RaisesTheRateAgainAfterSomeCalm) {
  EXPECT_EQ(second(0.06), 2U);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(second(0.01), 2U);
  EXPECT_EQ(second(0.01), 1U);
}

TEST_F(SelfLimitTest, DoesNotRaiseTheRateToWhereItWasTooMuch) {
  EXPECT_EQ(second(0.06), 2U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(second(0.03), 2U);
}

TEST_F(SelfLimitTest, KeepsToWhatOthersLeaveWhereThatIsLess) {
  allowance_ = 2;
  EXPECT_EQ(second(0.019), 1U);
  EXPECT_EQ(second(0.03), 2U);
  allowance_ = 50;
  EXPECT_EQ(second(0.049), 2U);
  EXPECT_EQ(second(0.06), 4U) << "its own limit holds as well";
}

TEST_F(SelfLimitTest, GoesNoLowerThanOneSampleASecond) {
  uint32_t stride = 1;
  for (int i = 0; i < 30; ++i) stride = second(0.9);
  EXPECT_EQ(stride, 1000U);
  EXPECT_FALSE(limit_.exhausted());
}

TEST_F(SelfLimitTest, GivesUpWhenNoRateNeedsLittleEnoughMemory) {
  int seconds = 0;
  for (uint32_t last = 1; !limit_.exhausted() && seconds < 1000; ++seconds) {
    const uint32_t stride = second(0, 1'000'001);
    EXPECT_GE(stride, last);
    last = stride;
  }
  // Ten halvings, each with time to show its effect.
  EXPECT_GT(seconds, 20);
  EXPECT_LT(seconds, 60);
}

}  // namespace
}  // namespace pycroscope

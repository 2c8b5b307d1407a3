#include "daemon/os/perf_event.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "daemon/os/kernel_features.h"

namespace pycroscope {
namespace {

constexpr uint64_t kPeriodNs = 1'000'000;

TEST(CpuClockEvent, OfAThreadThatHasEndedIsGone) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  const auto event = CpuClockEvent::open(child, kPeriodNs, CpuClockEvent::Inherit::kThreads);
  ASSERT_FALSE(event.has_value());
  EXPECT_EQ(event.error().code, ErrorCode::kTargetGone) << event.error().message;
}

TEST(CpuClockEvent, CountsNothingBeforeItStarts) {
  const auto event = CpuClockEvent::open(::getpid(), kPeriodNs, CpuClockEvent::Inherit::kThreads);
  if (!event) GTEST_SKIP() << event.error().message;
  const auto time = event->cpu_time_ns();
  ASSERT_TRUE(time.has_value()) << time.error().message;
  EXPECT_EQ(*time, 0u);
}

TEST(CpuClockEvent, DoesNotStartWithoutAProgram) {
  auto event = CpuClockEvent::open(::getpid(), kPeriodNs, CpuClockEvent::Inherit::kThreads);
  if (!event) GTEST_SKIP() << event.error().message;
  EXPECT_FALSE(event->attach(-1).has_value());
}

TEST(KernelFeatures, MissingRightsSayWhatToDo) {
  for (const int error : {EPERM, EACCES}) {
    const Error explained = bpf_load_error(error);
    EXPECT_EQ(explained.code, ErrorCode::kNotPermitted);
    EXPECT_NE(explained.message.find("root"), std::string::npos) << explained.message;
  }
}

TEST(KernelFeatures, TheRunningKernelHasARelease) { EXPECT_GT(kernel_release(), KernelRelease{}); }

}  // namespace
}  // namespace pycroscope

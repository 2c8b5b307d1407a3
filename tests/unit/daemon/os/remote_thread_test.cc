#include "daemon/os/remote_thread.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <functional>

#include "daemon/os/clock.h"
#include "daemon/os/shared_memory.h"

namespace pycroscope {
namespace {

using std::chrono::milliseconds;

// What a child tells.
struct Told {
  uint64_t rounds, slept_ns;
  uint32_t signals;
  double sum;
};

[[gnu::naked]] void trap() { asm("int3"); }
[[gnu::naked]] void system_call() { asm("syscall\n ret"); }

uint64_t add_up(uint64_t a, uint64_t b, uint64_t c) {
  // Uses registers of vectors, which are somebody else's.
  volatile double sum = static_cast<double>(a) + std::sqrt(static_cast<double>(b));
  return static_cast<uint64_t>(sum) + c;
}
uint64_t spin() {
  for (volatile bool on = true; on;) {
  }
  return 0;
}
uint64_t crash() {
  asm volatile("ud2");
  return 0;
}

template <class Function>
uint64_t address(Function* function) {
  return reinterpret_cast<uint64_t>(function);
}

// A copy of this process that does something over and over: our functions are where they are here.
class RemoteThreadTest : public testing::Test {
 protected:
  void begin(const std::function<void(Told&)>& round) {
    shared_.emplace(*SharedMemory::create("told", 4096));
    child_ = ::fork();
    ASSERT_GE(child_, 0);
    if (child_ != 0) return await_rounds(1);
    for (;; ++told().rounds) round(told());
  }
  void TearDown() override {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  Told& told() { return *reinterpret_cast<Told*>(shared_->bytes().data()); }
  void await_rounds(uint64_t more) {
    const uint64_t now = __atomic_load_n(&told().rounds, __ATOMIC_RELAXED);
    for (int i = 0; i < 5000 && __atomic_load_n(&told().rounds, __ATOMIC_RELAXED) < now + more; ++i) ::usleep(1000);
    ASSERT_GE(told().rounds, now + more) << "it does not run any more";
  }
  RemoteThread stop() { return std::move(*RemoteThread::stop(child_, child_)); }

  std::optional<SharedMemory> shared_;
  pid_t child_ = 0;
};

void compute(Told& told) {
  double sum = 0;
  for (int i = 1; i < 10'000; ++i) sum += std::sqrt(i) / 3;
  told.sum = told.sum == 0 || told.sum == sum ? sum : NAN;
}

TEST_F(RemoteThreadTest, RunsSystemCallsAndFunctionsOfABusyThread) {
  begin(compute);
  for (uint64_t i = 0; i < 200; ++i) {
    {
      RemoteThread thread = stop();
      EXPECT_EQ(thread.system_call(address(system_call), SYS_getpid, {}).value_or(-1), child_);
      EXPECT_EQ(thread.call(address(add_up), address(trap), {i, 16, 3}, milliseconds(500)).value_or(0), i + 7);
    }
    ::usleep(static_cast<useconds_t>(i * 7));
  }
  await_rounds(2);
  EXPECT_FALSE(std::isnan(told().sum)) << "its registers were not given back";
}

TEST_F(RemoteThreadTest, LetsAThreadSleepOn) {
  begin([](Told& told) {
    const int64_t begin = monotonic_ns();
    const timespec time{0, 50'000'000};
    ::clock_nanosleep(CLOCK_MONOTONIC, 0, &time, nullptr);
    const auto slept = static_cast<uint64_t>(monotonic_ns() - begin);
    if (told.slept_ns == 0 || slept < told.slept_ns) told.slept_ns = slept;
  });
  for (int i = 0; i < 20; ++i) {
    RemoteThread thread = stop();
    if (!thread.state().blocked_in) continue;
    // Which goes on as another one after a stop.
    const int64_t number = thread.state().blocked_in->number;
    EXPECT_TRUE(number == SYS_clock_nanosleep || number == SYS_restart_syscall) << number;
    EXPECT_EQ(thread.system_call(thread.instruction() - 2, SYS_getpid, {}).value_or(-1), child_);
    EXPECT_EQ(thread.call(address(add_up), address(trap), {1, 4, 3}, milliseconds(500)).value_or(0), 6u);
  }
  await_rounds(3);
  EXPECT_GE(told().slept_ns, 49'000'000u) << "a sleep was cut short";
}

TEST_F(RemoteThreadTest, IsAsBeforeWhenACallFails) {
  begin(compute);
  {
    RemoteThread thread = stop();
    EXPECT_FALSE(thread.call(address(spin), address(trap), {}, milliseconds(20)));
    EXPECT_FALSE(thread.call(address(crash), address(trap), {}, milliseconds(500)));
    EXPECT_EQ(thread.call(address(add_up), address(trap), {1, 4, 3}, milliseconds(500)).value_or(0), 6u);
  }
  await_rounds(2);
  EXPECT_FALSE(std::isnan(told().sum));
}

TEST_F(RemoteThreadTest, DeliversSignalsThatCameMeanwhile) {
  static Told* told_by_handler;
  begin([](Told& told) {
    told_by_handler = &told;
    ::signal(SIGUSR1, [](int) { ++told_by_handler->signals; });
    compute(told);
  });
  for (uint32_t i = 0; i < 20; ++i) {
    {
      RemoteThread thread = stop();
      ::kill(child_, SIGUSR1);
      EXPECT_EQ(thread.call(address(add_up), address(trap), {1, 4, 3}, milliseconds(500)).value_or(0), 6u);
    }
    await_rounds(2);
    EXPECT_EQ(told().signals, i + 1);
  }
}

TEST_F(RemoteThreadTest, SaysThatAThreadHasEnded) {
  begin(compute);
  const pid_t gone = child_;
  {
    RemoteThread thread = stop();
    ::kill(child_, SIGKILL);
    const auto result = thread.call(address(spin), address(trap), {}, milliseconds(500));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kTargetGone);
  }
  ::waitpid(gone, nullptr, 0);
  EXPECT_EQ(RemoteThread::stop(gone, gone).error().code, ErrorCode::kTargetGone);
  begin(compute);
}

}  // namespace
}  // namespace pycroscope

// Threads of this process, as the kernel describes them.
#include "daemon/target/thread_files.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

namespace pycroscope {
namespace {

TEST(ThreadFilesTest, TellAThreadThatWaitsFromOneThatRuns) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  std::atomic<pid_t> tid = 0;
  std::atomic<bool> stop = false;
  std::thread thread([&] {
    tid = ::gettid();
    char byte = 0;
    EXPECT_EQ(::read(pipe[0], &byte, 1), 1);
    while (!stop) continue;
  });
  while (tid == 0) std::this_thread::yield();
  const auto files = ThreadFiles::open(::getpid(), tid);
  ASSERT_TRUE(files) << files.error().message;
  while (files->state()->runs) std::this_thread::yield();
  const auto waits = files->state();
  ASSERT_TRUE(waits);
  EXPECT_EQ(waits->syscall, uint32_t{SYS_read});
  EXPECT_EQ(waits->argument, static_cast<uint64_t>(pipe[0]));
  EXPECT_NE(waits->instruction, 0U);
  const auto before = files->times();
  EXPECT_EQ(files->times(), before);

  ASSERT_EQ(::write(pipe[1], "x", 1), 1);
  while (!files->state()->runs) std::this_thread::yield();
  while (files->times()->on_cpu_ns < before->on_cpu_ns + 1'000'000) std::this_thread::yield();
  EXPECT_GT(files->times()->turns, before->turns);
  const auto ids = thread_ids(::getpid());
  EXPECT_TRUE(std::ranges::is_sorted(ids));
  EXPECT_TRUE(std::ranges::find(ids, tid.load()) != ids.end());

  stop = true;
  thread.join();
  while (files->times()) std::this_thread::yield();
  EXPECT_FALSE(files->state());
  const auto gone = ThreadFiles::open(::getpid(), tid);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, ErrorCode::kTargetGone);
  ::close(pipe[0]);
  ::close(pipe[1]);
}

}  // namespace
}  // namespace pycroscope

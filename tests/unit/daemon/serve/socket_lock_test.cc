#include "daemon/serve/socket_lock.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "tests/unit/support/temporary_directory.h"

namespace pycroscope {
namespace {

class SocketLockTest : public testing::Test {
 protected:
  std::optional<SocketLock> take() { return SocketLock::take(path_).value(); }
  bool there() const { return std::filesystem::exists(path_); }

  test::TemporaryDirectory directory_;
  const std::string path_ = directory_ / "socket.lock";
};

TEST_F(SocketLockTest, OneHoldsItAndTheFileGoesWithIt) {
  {
    const auto first = take();
    ASSERT_TRUE(first);
    EXPECT_FALSE(take());
    EXPECT_TRUE(there());
  }
  EXPECT_FALSE(there());
  EXPECT_TRUE(take());
}

TEST_F(SocketLockTest, FileThatWasLeftBehindIsTaken) {
  std::ofstream{path_};
  EXPECT_TRUE(take());
  EXPECT_FALSE(there());
}

TEST_F(SocketLockTest, LeavesAFileThatReplacedItsOwn) {
  auto first = take();
  std::filesystem::remove(path_);
  const auto second = take();
  ASSERT_TRUE(second);
  first.reset();
  EXPECT_TRUE(there());
}

TEST_F(SocketLockTest, LinksAreNotFollowed) {
  std::filesystem::create_symlink(directory_ / "elsewhere", path_);
  EXPECT_FALSE(SocketLock::take(path_));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "elsewhere"));
}

// Taking and giving up while the file comes and goes: never two at once.
TEST_F(SocketLockTest, NeverTwoAtOnce) {
  std::atomic<int> holders = 0, taken = 0;
  std::atomic<bool> two = false;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        const auto lock = take();
        if (!lock) continue;
        if (++holders > 1) two = true;
        ++taken;
        --holders;
      }
    });
  }
  while (taken < 20'000) std::this_thread::yield();
  threads.clear();
  EXPECT_FALSE(two);
}

}  // namespace
}  // namespace pycroscope

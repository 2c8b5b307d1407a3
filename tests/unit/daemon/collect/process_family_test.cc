// Children and the programs they start, seen by looking.
#include "daemon/collect/process_family.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace pycroscope {
namespace {

// A child that executes `sleep` for each byte it is sent, and is killed at the end.
class Child {
 public:
  Child() {
    if (::pipe(pipe_.data()) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ != 0) return;
    char byte = 0;
    if (::read(pipe_[0], &byte, 1) == 1) ::execlp("sleep", "sleep", "1000", nullptr);
    ::_exit(127);
  }
  ~Child() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::close(pipe_[0]);
    ::close(pipe_[1]);
  }
  pid_t pid() const { return pid_; }
  void execute() const { EXPECT_EQ(::write(pipe_[1], "x", 1), 1); }

 private:
  std::array<int, 2> pipe_{};
  pid_t pid_ = 0;
};

TEST(ProcessFamilyTest, SeesForksAndExecs) {
  ProcessFamily family;
  family.add(::getpid());
  EXPECT_TRUE(family.look(true).empty());
  const Child child;
  EXPECT_TRUE(family.look(false).empty()) << "children were not asked for";
  auto events = family.look(true);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].event, PYC_LIFECYCLE_FORK);
  EXPECT_EQ(events[0].pid, child.pid());
  EXPECT_EQ(events[0].parent, ::getpid());
  EXPECT_TRUE(family.look(true).empty());

  child.execute();
  for (events.clear(); events.empty();) events = family.look(true);
  EXPECT_EQ(events[0].event, PYC_LIFECYCLE_EXEC);
  EXPECT_EQ(events[0].pid, child.pid());
  EXPECT_TRUE(family.look(true).empty());
}

TEST(ProcessFamilyTest, AChildThatIsSeenTooLateHasForkedAndExecuted) {
  ProcessFamily family;
  family.add(::getpid());
  const Child child;
  child.execute();
  const std::string exe = "/proc/" + std::to_string(child.pid()) + "/exe";
  std::array<char, 256> path{};
  while (std::string_view(path.data()).find("sleep") == std::string_view::npos &&
         std::string_view(path.data()).find("coreutils") == std::string_view::npos)
    ASSERT_GT(::readlink(exe.c_str(), path.data(), path.size() - 1), 0);
  auto events = family.look(true);
  // An exec counts when it is over.
  while (events.size() < 2) std::ranges::copy(family.look(true), std::back_inserter(events));
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].event, PYC_LIFECYCLE_FORK);
  EXPECT_EQ(events[1].event, PYC_LIFECYCLE_EXEC);
  EXPECT_EQ(events[1].pid, child.pid());
}

}  // namespace
}  // namespace pycroscope

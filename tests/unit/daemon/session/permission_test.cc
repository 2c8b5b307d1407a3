#include "daemon/session/permission.h"

#include <grp.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <string>
#include <string_view>

#include "daemon/os/fd.h"

namespace pycroscope {
namespace {

constexpr uid_t kUser = 1000, kOther = 1001;
constexpr uint64_t kNamespace = 7;

Caller user() {
  return {.uid = kUser, .gid = kUser, .groups = {}, .user_namespace = kNamespace, .session_owner = {kUser, kUser}};
}

TargetFacts own_target() {
  return {.pid = 42,
          .ids = {{kUser, kUser, kUser, kUser}, {kUser, kUser, kUser, kUser}},
          .user_namespace = kNamespace,
          .capabilities = 0,
          .dumpable = true};
}

void expect_refused(const TargetFacts& target, std::string_view word) {
  const Status status = may_attach(user(), target);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kNotPermitted);
  EXPECT_NE(status.error().message.find(word), std::string::npos) << status.error().message;
  EXPECT_TRUE(may_attach(Caller{}, target)) << "root may";
}

TEST(Permission, OwnProcess) { EXPECT_TRUE(may_attach(user(), own_target())); }

TEST(Permission, EachUserIdCounts) {
  for (int i = 0; i < 4; ++i) {
    TargetFacts target = own_target();
    target.ids.uid[i] = kOther;
    expect_refused(target, "somebody else");
    target.ids.uid[i] = 0;
    expect_refused(target, "somebody else");
  }
}

TEST(Permission, EachGroupIdCounts) {
  for (int i = 0; i < 4; ++i) {
    TargetFacts target = own_target();
    target.ids.gid[i] = kOther;
    expect_refused(target, "group");
  }
}

TEST(Permission, OtherUserNamespace) {
  TargetFacts target = own_target();
  target.user_namespace = kNamespace + 1;
  expect_refused(target, "namespace");
}

TEST(Permission, UnknownNamespaceOfTheCaller) {
  Caller caller = user();
  caller.user_namespace = 0;
  TargetFacts target = own_target();
  target.user_namespace = 0;
  EXPECT_FALSE(may_attach(caller, target));
}

TEST(Permission, Undumpable) {
  TargetFacts target = own_target();
  target.dumpable = false;
  expect_refused(target, "undumpable");
}

TEST(Permission, MoreCapabilities) {
  TargetFacts target = own_target();
  target.capabilities = 0b110;
  expect_refused(target, "capabilities");
  Caller caller = user();
  caller.capabilities = 0b111;
  EXPECT_TRUE(may_attach(caller, target));
  caller.capabilities = 0b100;
  EXPECT_FALSE(may_attach(caller, target));
}

// A process of another user that has run `setup` and waits.
class UserProcess {
 public:
  UserProcess(uid_t uid, const std::function<void()>& setup) {
    int ready[2];
    EXPECT_EQ(::pipe(ready), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      if (::setgroups(0, nullptr) != 0 || ::setresgid(uid, uid, uid) != 0 || ::setresuid(uid, uid, uid) != 0)
        ::_exit(1);
      // Changing ids makes a process undumpable until it starts a program; this one starts none.
      ::prctl(PR_SET_DUMPABLE, 1);
      setup();
      const bool told = ::write(ready[1], "x", 1) == 1;
      while (told) ::pause();
      ::_exit(1);
    }
    const Fd reading(ready[0]);
    {
      const Fd writing(ready[1]);
    }  // the child's end only: when it fails there is nothing to wait for
    char byte;
    waits_ = ::read(reading.get(), &byte, 1) == 1;
  }
  ~UserProcess() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }
  // Whether `setup` has let it live.
  bool waits() const { return waits_; }

 private:
  pid_t pid_;
  bool waits_ = false;
};

class RealProcess : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can start processes of other users";
  }
  // As a caller that `uid` would be on this machine.
  static Caller caller(uid_t uid) {
    Caller caller = Caller::self();
    caller.uid = caller.gid = uid;
    caller.capabilities = 0;
    return caller;
  }
  static Status check(const Caller& caller, pid_t pid) {
    const auto process = Process::open(pid);
    if (!process) return std::unexpected(process.error());
    return check_attach(caller, *process);
  }
};

TEST_F(RealProcess, OfTheCallerAndOfOthers) {
  const UserProcess process(kUser, [] {});
  ASSERT_TRUE(process.waits());
  EXPECT_TRUE(check(caller(kUser), process.pid()));
  EXPECT_TRUE(check(Caller::self(), process.pid()));
  const Status other = check(caller(kOther), process.pid());
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::kNotPermitted);
}

TEST_F(RealProcess, Undumpable) {
  const UserProcess process(kUser, [] { ::prctl(PR_SET_DUMPABLE, 0); });
  ASSERT_TRUE(process.waits());
  const Status status = check(caller(kUser), process.pid());
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("undumpable"), std::string::npos) << status.error().message;
}

TEST_F(RealProcess, RootsOwn) { EXPECT_FALSE(check(caller(kUser), ::getpid())); }

TEST_F(RealProcess, InAnotherUserNamespace) {
  const UserProcess process(kUser, [] {
    if (::unshare(CLONE_NEWUSER) != 0) ::_exit(1);
  });
  if (!process.waits()) GTEST_SKIP() << "nobody may make a user namespace here";
  const Status status = check(caller(kUser), process.pid());
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kNotPermitted);
}

}  // namespace
}  // namespace pycroscope

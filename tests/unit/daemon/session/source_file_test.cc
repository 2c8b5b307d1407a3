// What a target's names may lead to: nothing is waited for, nothing outside its root is read, nothing that the caller
// could not read.
#include "daemon/session/source_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "daemon/session/thread_rights.h"
#include "tests/unit/support/temporary_directory.h"

namespace pycroscope {
namespace {

constexpr uid_t kNobody = 65534;

// A process of kNobody in a root of its own, working in its /app.
class Imprisoned {
 public:
  explicit Imprisoned(const std::filesystem::path& root) {
    int ready[2];
    if (::pipe2(ready, O_CLOEXEC) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      // Changing ids makes a process undumpable.
      const bool inside = ::chroot(root.c_str()) == 0 && ::chdir("/app") == 0 &&
                          ::setresgid(kNobody, kNobody, kNobody) == 0 && ::setresuid(kNobody, kNobody, kNobody) == 0 &&
                          ::prctl(PR_SET_DUMPABLE, 1) == 0;
      static_cast<void>(::write(ready[1], inside ? "y" : "n", 1));
      while (true) ::pause();
    }
    ::close(ready[1]);
    const Fd answer(ready[0]);
    char byte = 0;
    inside_ = ::read(answer.get(), &byte, 1) == 1 && byte == 'y';
  }
  Imprisoned(const Imprisoned&) = delete;
  ~Imprisoned() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }
  bool inside() const { return inside_; }

 private:
  pid_t pid_ = 0;
  bool inside_ = false;
};

class SourceFileTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can chroot and take others' rights";
    std::filesystem::permissions(outside_.path(), std::filesystem::perms(0755));
    std::filesystem::create_directories(root_ / "app");
    std::filesystem::create_directories(root_ / "lib");
    put(root_ / "lib/module.py", "module");
    put(root_ / "app/script.py", "script");
    put(outside_ / "secret.py", "secret");
    target_.emplace(root_);
    ASSERT_TRUE(target_->inside());
  }

  static void put(const std::filesystem::path& path, const std::string& content) {
    std::ofstream(path) << content;
    std::filesystem::permissions(path, std::filesystem::perms(0644));
  }
  std::filesystem::path make_device(const std::string& name, mode_t kind, dev_t device) {
    const std::filesystem::path path = root_ / "app" / name;
    EXPECT_EQ(::mknod(path.c_str(), kind | 0666, device), 0);
    ::chmod(path.c_str(), 0666);
    return path;
  }

  // As the recorder's thread reads: with the rights of `uid`.
  Result<std::string> read(const std::string& name, uid_t uid = kNobody) {
    Result<std::string> content;
    Caller caller;
    caller.uid = caller.gid = uid;
    caller.session_owner = {uid, uid};
    std::thread([&] {
      const Status rights = take_rights_of(caller);
      ASSERT_TRUE(rights) << rights.error().message;
      const auto directories = TargetDirectories::open(*Process::open(target_->pid()));
      content = directories ? directories->read(name) : std::unexpected(directories.error());
    }).join();
    return content;
  }

  test::TemporaryDirectory outside_;
  const std::filesystem::path root_ = outside_.path() / "root";
  std::optional<Imprisoned> target_;
};

TEST_F(SourceFileTest, FilesOfTheTargetsRootAndWorkingDirectory) {
  EXPECT_EQ(read("/lib/module.py").value(), "module");
  EXPECT_EQ(read("script.py").value(), "script");
}

TEST_F(SourceFileTest, OthersReadWhatTheyMay) {
  put(root_ / "app/private.py", "private");
  std::filesystem::permissions(root_ / "app/private.py", std::filesystem::perms(0600));
  EXPECT_EQ(read("/app/private.py", 0).value(), "private");
  EXPECT_FALSE(read("/app/private.py"));
}

TEST_F(SourceFileTest, LinksStayInsideTheRoot) {
  std::filesystem::create_symlink("/lib/module.py", root_ / "app/absolute.py");
  std::filesystem::create_symlink("../../../../../../lib/module.py", root_ / "app/upwards.py");
  std::filesystem::create_symlink(outside_.path() / "secret.py", root_ / "app/outside.py");
  std::filesystem::create_symlink("../../secret.py", root_ / "app/above.py");
  std::filesystem::create_symlink("loop.py", root_ / "app/loop.py");
  EXPECT_EQ(read("/app/absolute.py").value(), "module");
  EXPECT_EQ(read("/app/upwards.py").value(), "module");
  for (const char* name : {"/app/outside.py", "/app/above.py", "/../secret.py", "/app/loop.py"})
    EXPECT_FALSE(read(name)) << name;
}

TEST_F(SourceFileTest, RelativeNamesStayBelowTheWorkingDirectory) {
  std::filesystem::create_symlink("/lib/module.py", root_ / "app/absolute.py");
  for (const char* name : {"../lib/module.py", "absolute.py", "../../secret.py"}) EXPECT_FALSE(read(name)) << name;
}

TEST_F(SourceFileTest, NothingElseThanFilesIsOpened) {
  make_device("pipe.py", S_IFIFO, 0);
  make_device("zero.py", S_IFCHR, ::makedev(1, 5));
  make_device("console.py", S_IFCHR, ::makedev(5, 0));
  make_device("disk.py", S_IFBLK, ::makedev(7, 200));
  make_device("socket.py", S_IFSOCK, 0);
  std::filesystem::create_symlink("pipe.py", root_ / "app/to_pipe.py");
  std::filesystem::create_directory(root_ / "app/directory.py");
  for (const char* name : {"pipe.py", "zero.py", "console.py", "disk.py", "socket.py", "to_pipe.py", "directory.py"}) {
    const auto refused = read(std::string("/app/") + name);
    ASSERT_FALSE(refused) << name;
    EXPECT_NE(refused.error().message.find("not a regular file"), std::string::npos) << refused.error().message;
  }
}

TEST_F(SourceFileTest, OnlyFilesOfAReasonableSize) {
  put(root_ / "app/huge.py", "");
  std::filesystem::resize_file(root_ / "app/huge.py", TargetDirectories::kMaxSourceBytes + 1);
  EXPECT_FALSE(read("/app/huge.py"));
  std::filesystem::resize_file(root_ / "app/huge.py", TargetDirectories::kMaxSourceBytes);
  EXPECT_EQ(read("/app/huge.py")->size(), TargetDirectories::kMaxSourceBytes);
}

}  // namespace
}  // namespace pycroscope

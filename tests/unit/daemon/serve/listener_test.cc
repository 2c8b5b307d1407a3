#include "daemon/serve/listener.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "tests/unit/daemon/serve/socket_peer.h"
#include "tests/unit/support/temporary_directory.h"

namespace pycroscope {
namespace {

class ListenerTest : public testing::Test {
 protected:
  bool there(const std::string& path) { return std::filesystem::exists(std::filesystem::symlink_status(path)); }

  test::TemporaryDirectory directory_;
  const std::string path_ = directory_ / "deep/er/socket";
};

TEST_F(ListenerTest, MakesItsDirectoryAndIsOpenForEverybody) {
  const auto listener = Listener::bind(path_);
  ASSERT_TRUE(listener) << listener.error().message;
  struct stat made;
  ASSERT_EQ(::stat(path_.c_str(), &made), 0);
  EXPECT_EQ(made.st_mode & 0777, 0666U);
  EXPECT_TRUE(test::connect_to(path_));
  EXPECT_TRUE(listener->accept());
  EXPECT_FALSE(listener->accept());
}

TEST_F(ListenerTest, IsGoneAfterwards) {
  {
    ASSERT_TRUE(Listener::bind(path_));
  }
  EXPECT_FALSE(there(path_));
  EXPECT_FALSE(there(path_ + ".lock"));
}

TEST_F(ListenerTest, SecondOneIsRefusedAndHarmsNothing) {
  const auto first = Listener::bind(path_);
  ASSERT_TRUE(first);
  const auto second = Listener::bind(path_);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("in use"), std::string::npos) << second.error().message;
  EXPECT_TRUE(test::connect_to(path_));
}

TEST_F(ListenerTest, SocketOfAnotherProgramThatAnswersIsInUse) {
  auto other = Listener::bind(path_);
  ASSERT_TRUE(other);
  std::filesystem::remove(path_ + ".lock");
  const auto second = Listener::bind(path_);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("in use"), std::string::npos) << second.error().message;
}

TEST_F(ListenerTest, StaleSocketIsReplaced) {
  ASSERT_TRUE(Listener::bind(path_));  // makes the directory
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path_.c_str(), sizeof(address.sun_path) - 1);
  {
    const Fd dead(::socket(AF_UNIX, SOCK_STREAM, 0));
    ASSERT_EQ(::bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }
  ASSERT_TRUE(there(path_));
  const auto listener = Listener::bind(path_);
  ASSERT_TRUE(listener) << listener.error().message;
  EXPECT_TRUE(test::connect_to(path_));
}

TEST_F(ListenerTest, FilesAndLinksStay) {
  const std::string file = directory_ / "file";
  std::ofstream(file) << "precious";
  EXPECT_FALSE(Listener::bind(file));
  const std::string link = directory_ / "link";
  std::filesystem::create_symlink(directory_ / "elsewhere", link);
  EXPECT_FALSE(Listener::bind(link));
  EXPECT_TRUE(there(link));
  EXPECT_FALSE(there(directory_ / "elsewhere"));
  EXPECT_EQ(std::filesystem::file_size(file), 8U);
}

TEST_F(ListenerTest, LeavesASocketThatReplacedItsOwn) {
  auto first = std::make_optional(*Listener::bind(path_));
  std::filesystem::remove(path_);
  std::filesystem::remove(path_ + ".lock");
  const auto second = Listener::bind(path_);
  ASSERT_TRUE(second);
  first.reset();
  EXPECT_TRUE(test::connect_to(path_));
}

TEST_F(ListenerTest, PathThatIsTooLong) {
  const auto listener = Listener::bind(directory_ / std::string(120, 'x'));
  ASSERT_FALSE(listener);
  EXPECT_EQ(listener.error().code, ErrorCode::kInvalid);
}

}  // namespace
}  // namespace pycroscope

#include "daemon/serve/peer.h"

#include <gtest/gtest.h>

#include "daemon/serve/listener.h"
#include "daemon/target/namespaces.h"
#include "tests/unit/daemon/serve/socket_peer.h"
#include "tests/unit/support/temporary_directory.h"

namespace pycroscope {
namespace {

class PeerTest : public testing::Test {
 protected:
  // Other users connect.
  PeerTest() { std::filesystem::permissions(directory_.path(), std::filesystem::perms(0755)); }
  Fd accepted() const {
    Fd connection = listener_.accept();
    EXPECT_TRUE(connection);
    return connection;
  }

  test::TemporaryDirectory directory_;
  const std::string path_ = directory_ / "socket";
  const Listener listener_ = *Listener::bind(path_);
};

TEST_F(PeerTest, IsWhoConnected) {
  if (::geteuid() != 0) GTEST_SKIP() << "being another user needs root";
  const test::SocketPeer peer(path_, 12345);
  const auto caller = peer_of(accepted());
  ASSERT_TRUE(caller) << caller.error().message;
  EXPECT_EQ(caller->uid, 12345U);
  EXPECT_EQ(caller->gid, 12345U);
  EXPECT_EQ(caller->user_namespace, *namespace_inode("self", "user"));
  EXPECT_EQ(caller->capabilities, 0U);
}

TEST_F(PeerTest, WhoHasEndedIsInNoNamespace) {
  const pid_t child = ::fork();
  if (child == 0) {
    const Fd mine = test::connect_to(path_);
    ::_exit(mine ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  const auto caller = peer_of(accepted());
  ASSERT_TRUE(caller) << caller.error().message;
  EXPECT_EQ(caller->pid, child);
  EXPECT_EQ(caller->user_namespace, 0U) << "its pid may be another process's by now";
}

}  // namespace
}  // namespace pycroscope

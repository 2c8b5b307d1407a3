#include "client/cli/connection.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "tests/unit/daemon/serve/daemon_fixture.h"

namespace pycroscope {
namespace {

class ConnectionTest : public test::DaemonTest {
 protected:
  void SetUp() override {
    ::unsetenv("PYCROSCOPE_SOCKET");
    ::unsetenv("PYCROSCOPE_STORE");
    DaemonTest::SetUp();
  }
  void TearDown() override {
    ::unsetenv("PYCROSCOPE_SOCKET");
    ::unsetenv("PYCROSCOPE_STORE");
    DaemonTest::TearDown();
  }
  // The store that the other end works on.
  static std::string store_of(const ServiceOptions& options) {
    const auto connection = Connection::open(options);
    if (!connection) return "error: " + connection.error().message;
    return connection->call(&Connection::Api::GetVersion, v1::GetVersionRequest())->store();
  }

  const std::string own_ = directory_ / "own", daemons_ = directory_ / "store";
  const std::string missing_ = directory_ / "missing";
};

TEST_F(ConnectionTest, WhatWasAskedForWins) {
  EXPECT_EQ(store_of({.socket = socket_, .store = ""}), daemons_);
  EXPECT_EQ(store_of({.socket = "", .store = own_}), own_);
  ::setenv("PYCROSCOPE_SOCKET", socket_.c_str(), 1);
  EXPECT_EQ(store_of({}), daemons_);
  EXPECT_EQ(store_of({.socket = "", .store = own_}), own_) << "--store means no daemon";
  ::setenv("PYCROSCOPE_STORE", own_.c_str(), 1);
  EXPECT_EQ(store_of({}), daemons_) << "a socket in the environment comes before a store";
  ::unsetenv("PYCROSCOPE_SOCKET");
  EXPECT_EQ(store_of({}), own_);
  EXPECT_EQ(store_of({.socket = socket_, .store = ""}), daemons_);
}

TEST_F(ConnectionTest, KnowsWhereTheServiceIs) {
  EXPECT_EQ(Connection::open({.socket = socket_, .store = ""})->socket(), socket_);
  EXPECT_EQ(Connection::open({.socket = "", .store = own_})->socket(), "");
  EXPECT_TRUE(answers_at(socket_));
  EXPECT_FALSE(answers_at(missing_));
}

TEST_F(ConnectionTest, ASocketThatWasAskedForIsNeverReplaced) {
  const auto refused = [](const ServiceOptions& options) {
    const auto connection = Connection::open(options);
    return connection ? Error{} : connection.error();
  };
  EXPECT_EQ(refused({.socket = missing_, .store = ""}).code, ErrorCode::kUnavailable);
  EXPECT_NE(refused({.socket = missing_, .store = ""}).message.find("there is no socket at"), std::string::npos);
  ::setenv("PYCROSCOPE_SOCKET", missing_.c_str(), 1);
  ::setenv("PYCROSCOPE_STORE", own_.c_str(), 1);
  EXPECT_EQ(refused({}).code, ErrorCode::kUnavailable);
  // A socket whose daemon is gone.
  const Fd abandoned(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, missing_.c_str(), sizeof(address.sun_path) - 1);
  ASSERT_EQ(::bind(abandoned.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(refused({}).code, ErrorCode::kUnavailable);
  EXPECT_NE(refused({}).message.find("nothing answers at"), std::string::npos) << refused({}).message;
  EXPECT_FALSE(answers_at(missing_));
}

TEST_F(ConnectionTest, ErrorsOfCallsKeepTheirCodeThroughTheSocket) {
  const auto connection = Connection::open({.socket = socket_, .store = ""});
  ASSERT_TRUE(connection);
  v1::GetSessionRequest request;
  request.set_session("nothing-of-that-name");
  const auto answer = connection->call(&Connection::Api::GetSession, request);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kNotFound);
}

TEST_F(ConnectionTest, AServiceThatEndsIsAnError) {
  const auto connection = Connection::open({.socket = socket_, .store = ""});
  ASSERT_TRUE(connection);
  stop();
  const auto answer = connection->call(&Connection::Api::GetVersion, v1::GetVersionRequest());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable) << answer.error().message;
}

}  // namespace
}  // namespace pycroscope

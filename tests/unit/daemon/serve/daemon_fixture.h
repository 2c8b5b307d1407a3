// A daemon on a socket of its own, in a thread of the test.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "daemon/serve/socket_server.h"
#include "tests/unit/daemon/serve/socket_peer.h"
#include "tests/unit/support/temporary_directory.h"

namespace pycroscope::test {

class DaemonTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::permissions(directory_.path(), std::filesystem::perms(0755));
    start({});
  }
  void TearDown() override { stop(); }

  void start(SocketServer::Limits limits) {
    auto server = SocketServer::listen(socket_, engine_, limits);
    ASSERT_TRUE(server) << server.error().message;
    server_ = *std::move(server);
    thread_ = std::thread([this] { server_->run(); });
  }
  void stop() {
    if (!server_) return;
    server_->shutdown();
    thread_.join();
    server_.reset();
  }

  // The version call, as the simplest one.
  static grpc::Status call_version(v1::Profiler::Stub& stub) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    v1::GetVersionResponse response;
    return stub.GetVersion(&context, {}, &response);
  }
  bool answers() {
    SocketPeer peer(socket_, ::getuid());
    return call_version(*peer.stub()).ok();
  }

  TemporaryDirectory directory_;
  const std::string socket_ = directory_ / "run/socket";
  Engine engine_{Store::open(directory_.path() / "store").value()};
  std::unique_ptr<SocketServer> server_;
  std::thread thread_;
};

}  // namespace pycroscope::test

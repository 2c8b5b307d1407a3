// The service inside this process: no socket, no port, one caller.
#pragma once

#include <grpcpp/channel.h>

#include <memory>

#include "daemon/session/engine.h"

namespace pycroscope {

class InProcessServer {
 public:
  // `engine` must outlive the server. Every call over channel() is made for `caller`.
  InProcessServer(Engine& engine, Caller caller);
  // Cancels the calls that still run and waits for them.
  ~InProcessServer();
  InProcessServer(const InProcessServer&) = delete;
  InProcessServer& operator=(const InProcessServer&) = delete;

  // Not to be used after the server's end.
  std::shared_ptr<grpc::Channel> channel();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pycroscope

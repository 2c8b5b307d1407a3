#include "daemon/serve/in_process.h"

#include <utility>

#include "daemon/serve/bound_server.h"

namespace pycroscope {

struct InProcessServer::State {
  BoundServer server;
};

InProcessServer::InProcessServer(Engine& engine, Caller caller)
    : state_(new State{BoundServer(engine, std::move(caller))}) {}
InProcessServer::~InProcessServer() = default;

std::shared_ptr<grpc::Channel> InProcessServer::channel() { return state_->server.in_process_channel(); }

}  // namespace pycroscope

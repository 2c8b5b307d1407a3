// A gRPC server without a port whose service is bound to one caller; connections are handed to it.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/server.h>

#include <memory>

#include "daemon/os/fd.h"
#include "daemon/serve/profiler_service.h"

namespace pycroscope {

class BoundServer {
 public:
  // Calls running at once; a call above it is refused with RESOURCE_EXHAUSTED. Each costs a thread while it runs.
  static constexpr int kCalls = 96;
  static constexpr int kMaxRequestBytes = 4 << 20;

  BoundServer(Engine& engine, Caller caller);
  // Gives the calls that still run a moment to end, then cancels them, and waits for them.
  ~BoundServer();
  BoundServer(const BoundServer&) = delete;
  BoundServer& operator=(const BoundServer&) = delete;

  // From now on servers answer what gRPC tools ask: reflection and health (grpc.health.v1).
  static void enable_tools();

  // A connected stream socket.
  void add(Fd connection);
  std::shared_ptr<grpc::Channel> in_process_channel();

 private:
  ProfilerService service_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace pycroscope

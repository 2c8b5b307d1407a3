#include "daemon/serve/bound_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>

#include <chrono>
#include <mutex>
#include <utility>

namespace pycroscope {
namespace {

// A peer that says nothing, or stopped reading for good, is found out by pings: it cannot hold a connection for ever.
constexpr int kPingAfterMs = 20'000;
constexpr int kPingTimeoutMs = 20'000;
// Pings are not counted (MAX_PING_STRIKES 0): the complaint to a peer who sends too many is stored again for each of
// them while that peer does not read, at a hundred times the cost of an answer. See SocketServer for who does not read.
//
// At the end calls that have their last word to say may say it.
constexpr auto kGrace = std::chrono::seconds(2);
// The largest header block of a request; ours are a few hundred bytes.
constexpr int kMaxMetadataBytes = 16 << 10;
// What is taken from a connection at once: each frame in it may want an answer that costs a hundred times its size.
constexpr int kReadBytes = 8 << 10, kMaxReadBytes = 32 << 10;

std::unique_ptr<grpc::Server> build(grpc::Service& service) {
  grpc::ResourceQuota quota("pycroscope");
  quota.SetMaxThreads(BoundServer::kCalls);
  grpc::ServerBuilder builder;
  builder.RegisterService(&service)
      .SetResourceQuota(quota)
      .SetMaxReceiveMessageSize(BoundServer::kMaxRequestBytes)
      .SetMaxSendMessageSize(-1)
      .SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1)
      .SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1)
      .SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2)
      .AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kPingAfterMs)
      .AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingTimeoutMs)
      .AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1)
      .AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0)
      .AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0)
      .AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, BoundServer::kCalls)
      .AddChannelArgument(GRPC_ARG_TCP_READ_CHUNK_SIZE, kReadBytes)
      .AddChannelArgument(GRPC_ARG_TCP_MAX_READ_CHUNK_SIZE, kMaxReadBytes)
      .AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
  return builder.BuildAndStart();
}

}  // namespace

BoundServer::BoundServer(Engine& engine, Caller caller)
    : service_(engine, std::move(caller)), server_(build(service_)) {}

void BoundServer::enable_tools() {
  static std::once_flag once;
  std::call_once(once, [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
}

BoundServer::~BoundServer() { server_->Shutdown(std::chrono::system_clock::now() + kGrace); }

void BoundServer::add(Fd connection) { grpc::AddInsecureChannelFromFd(server_.get(), connection.release()); }

std::shared_ptr<grpc::Channel> BoundServer::in_process_channel() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  return server_->InProcessChannel(arguments);
}

}  // namespace pycroscope

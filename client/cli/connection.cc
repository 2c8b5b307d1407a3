#include "client/cli/connection.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <utility>

#include "daemon/serve/in_process.h"

namespace pycroscope {
namespace {

constexpr std::chrono::seconds kPatience(3);
constexpr int kPingAfterMs = 30'000, kPingTimeoutMs = 20'000;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::shared_ptr<grpc::Channel> make_channel(const std::string& path) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);  // a whole call tree is one message
  arguments.SetMaxSendMessageSize(-1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // A service that has been stopped, or hangs, is found out while we wait for it.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kPingAfterMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingTimeoutMs);
  return grpc::CreateCustomChannel("unix:" + path, grpc::InsecureChannelCredentials(), arguments);
}

// Tries once: gRPC would go on trying until a deadline.
bool answers(grpc::Channel& channel) {
  const auto deadline = std::chrono::system_clock::now() + kPatience;
  grpc_connectivity_state state = channel.GetState(true);
  while (state != GRPC_CHANNEL_READY) {
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE || state == GRPC_CHANNEL_SHUTDOWN) return false;
    if (!channel.WaitForStateChange(state, deadline)) return false;
    state = channel.GetState(true);
  }
  return true;
}

bool exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

}  // namespace

bool answers_at(const std::string& path) { return exists(path) && answers(*make_channel(path)); }

struct Connection::InProcess {
  explicit InProcess(Store store) : engine(std::move(store)), server(engine, Caller::self()) {}
  Engine engine;
  InProcessServer server;
};

Connection::Connection(std::unique_ptr<InProcess> in_process, std::shared_ptr<grpc::Channel> channel,
                       std::string socket)
    : in_process_(std::move(in_process)), api_(v1::Profiler::NewStub(std::move(channel))), socket_(std::move(socket)) {}
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;
Connection::~Connection() { api_.reset(); }  // the channel goes before its server

Result<Connection> Connection::open_in_process(const std::filesystem::path& directory) {
  PYC_TRY(Store store, Store::open(directory));
  auto in_process = std::make_unique<InProcess>(std::move(store));
  auto channel = in_process->server.channel();
  return Connection(std::move(in_process), std::move(channel), "");
}

Result<Connection> Connection::open_without_service(const ServiceOptions& options) {
  return open_in_process(options.store.empty() ? Store::default_directory() : std::filesystem::path(options.store));
}

Result<Connection> Connection::open_socket(const std::string& path) {
  if (!exists(path)) {
    return fail(ErrorCode::kUnavailable,
                fmt::format("there is no socket at {0}; start the service with `pycroscoped serve --socket {0}`, or "
                            "leave out --socket and PYCROSCOPE_SOCKET to do without one",
                            path));
  }
  auto channel = make_channel(path);
  if (!answers(*channel)) {
    const char* problem = ::access(path.c_str(), W_OK) == 0 ? "nothing answers at" : "this user may not connect to";
    return fail(ErrorCode::kUnavailable,
                fmt::format("{0} {1}; is `pycroscoped serve --socket {1}` running?", problem, path));
  }
  return Connection(nullptr, std::move(channel), path);
}

Result<Connection> Connection::open(const ServiceOptions& options) {
  if (!options.socket.empty()) return open_socket(options.socket);
  if (!options.store.empty()) return open_in_process(options.store);
  if (const std::string path = environment("PYCROSCOPE_SOCKET"); !path.empty()) return open_socket(path);
  if (!environment("PYCROSCOPE_STORE").empty()) return open_in_process(Store::default_directory());
  if (exists(kDefaultSocket)) {
    auto channel = make_channel(kDefaultSocket);
    if (answers(*channel)) return Connection(nullptr, std::move(channel), kDefaultSocket);
  }
  return open_in_process(Store::default_directory());
}

}  // namespace pycroscope

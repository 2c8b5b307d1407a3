// The service that a command talks to: a daemon at a socket, or the same service inside this process.
//
// Which one: --socket; --store (in this process, on that store); PYCROSCOPE_SOCKET; PYCROSCOPE_STORE; the default
// socket if something answers there; else in this process on the user's own store. A socket that was asked for and does
// not answer is kUnavailable: never a silent change of place.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "analysis/model/result.h"
#include "client/cli/options.h"
#include "daemon/serve/status.h"
#include "pycroscope/v1/service.grpc.pb.h"

namespace pycroscope {

inline constexpr char kDefaultSocket[] = "/run/pycroscope/pycroscope.sock";

// For the answer to a unary call: a service that takes longer does not work.
inline constexpr std::chrono::minutes kCallDeadline{5};

// Any thread may call api(); everything else belongs to one owner thread.
class Connection {
 public:
  using Api = v1::Profiler::StubInterface;

  static Result<Connection> open(const ServiceOptions& options);
  static Result<Connection> open_in_process(const std::filesystem::path& store);
  // In this process whatever answers at a socket; on options.store, or on the user's own.
  static Result<Connection> open_without_service(const ServiceOptions& options);

  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;
  ~Connection();

  Api& api() const { return *api_; }
  // Where the service is; "" when it is in this process.
  const std::string& socket() const { return socket_; }

  // One unary call: call(&Connection::Api::GetView, request).
  template <class Request, class Response>
  Result<Response> call(grpc::Status (Api::*method)(grpc::ClientContext*, const Request&, Response*),
                        const Request& request) const {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kCallDeadline);
    Response response;
    const grpc::Status status = (api().*method)(&context, request, &response);
    if (!status.ok()) return std::unexpected(from_grpc(status, context));
    return response;
  }

 private:
  struct InProcess;

  Connection(std::unique_ptr<InProcess> in_process, std::shared_ptr<grpc::Channel> channel, std::string socket);
  static Result<Connection> open_socket(const std::string& path);

  std::unique_ptr<InProcess> in_process_;  // null with a daemon
  std::unique_ptr<Api> api_;
  std::string socket_;
};

// Whether a service answers at the socket `path`.
bool answers_at(const std::string& path);

// A stream of chunks from the service, handed on piece by piece until it ends or `write` fails.
template <class Request>
Status receive_chunks(const Connection& connection,
                      std::unique_ptr<grpc::ClientReaderInterface<v1::Chunk>> (Connection::Api::*method)(
                          grpc::ClientContext*, const Request&),
                      const Request& request, const std::function<Status(std::string_view)>& write) {
  grpc::ClientContext context;
  auto reader = (connection.api().*method)(&context, request);
  v1::Chunk chunk;
  Status written;
  while (written && reader->Read(&chunk)) written = write(chunk.data());
  if (!written) context.TryCancel();
  const grpc::Status status = reader->Finish();
  if (!written) return written;
  if (!status.ok()) return std::unexpected(from_grpc(status, context));
  return {};
}

}  // namespace pycroscope

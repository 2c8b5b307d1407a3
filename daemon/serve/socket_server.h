// The service on a unix socket. Who is calling is decided when a connection is accepted (SO_PEERCRED) and cannot change
// afterwards: each identity has a gRPC server of its own whose service is bound to it.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "daemon/os/fd.h"
#include "daemon/serve/listener.h"
#include "daemon/session/engine.h"

namespace pycroscope {

class SocketServer {
 public:
  struct Limits {
    size_t connections_per_user = 64;
    size_t connections = 1024;
  };

  // Makes the parent directory if need be and listens at `path`, open for everybody (0666). A socket at which nobody
  // answers is replaced. kFailed when somebody answers there, or when it is not a socket; symlinks are never followed.
  // `engine` must outlive the server.
  static Result<std::unique_ptr<SocketServer>> listen(const std::string& path, Engine& engine, Limits limits);
  static Result<std::unique_ptr<SocketServer>> listen(const std::string& path, Engine& engine) {
    return listen(path, engine, Limits());
  }
  // The same at a socket that listens already.
  static Result<std::unique_ptr<SocketServer>> serve_at(Fd socket, Engine& engine);
  // Cancels the calls that still run, waits for them, and removes the socket if it is still ours.
  ~SocketServer();
  SocketServer(const SocketServer&) = delete;
  SocketServer& operator=(const SocketServer&) = delete;

  // Accepts connections until shutdown(). `on_round` is called now and then, at least every `at_least`, for as long as
  // connections are being accepted.
  void run(std::chrono::milliseconds at_least, const std::function<void()>& on_round);
  void run() {
    run(std::chrono::milliseconds::max(), [] {});
  }
  // Ends run(), also one that has not begun. From any thread and from signal handlers.
  void shutdown();

 private:
  struct State;
  static Result<std::unique_ptr<SocketServer>> make(Listener listener, Engine& engine, Limits limits);
  explicit SocketServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace pycroscope

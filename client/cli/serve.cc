#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "client/cli/command_line.h"
#include "client/cli/connection.h"
#include "client/cli/options.h"
#include "client/cli/ready.h"
#include "client/cli/signals.h"
#include "client/cli/terminal.h"
#include "daemon/serve/socket_server.h"

namespace pycroscope {
namespace {

constexpr char kServiceStore[] = "/var/lib/pycroscope";

struct ServeOptions {
  std::string socket = kDefaultSocket;
  std::string store;
  std::optional<int> ready_fd;
  bool quiet = false;
};

std::filesystem::path service_store(const std::string& chosen) {
  if (!chosen.empty()) return chosen;
  const char* from_environment = std::getenv("PYCROSCOPE_STORE");
  const bool unset = from_environment == nullptr || *from_environment == '\0';
  return unset && ::geteuid() == 0 ? kServiceStore : Store::default_directory();
}

Result<int> run_serve(const ServeOptions& options) {
  PYC_CHECK(check_ready_fd(options.ready_fd));
  spdlog::set_default_logger(spdlog::stderr_logger_mt("pycroscoped"));
  std::mutex mutex;
  SocketServer* running = nullptr;  // guarded by mutex
  bool asked_to_end = false;        // guarded by mutex
  const SignalWatch watch([&] {
    const std::lock_guard lock(mutex);
    asked_to_end = true;
    if (running != nullptr) running->shutdown();
  });
  PYC_TRY(Store store, Store::open(service_store(options.store)));
  const std::string directory = store.directory().string();
  Engine engine(std::move(store));
  PYC_TRY(const std::unique_ptr<SocketServer> server, SocketServer::listen(options.socket, engine));
  {
    const std::lock_guard lock(mutex);
    running = server.get();
    if (asked_to_end) server->shutdown();
  }
  if (!options.quiet) hint(fmt::format("serving {} at {}\n", directory, options.socket));
  announce_ready(options.ready_fd, "");
  server->run();
  const std::lock_guard lock(mutex);
  running = nullptr;
  return 0;
}

}  // namespace

void add_serve(CommandLine& line) {
  auto [command, options] =
      add_command(line, line.app, "serve",
                  "Run the service: one recorder and store for all users\n\n"
                  "Stays in the foreground until Ctrl-C or SIGTERM; recordings that run then end and are "
                  "kept. Anyone may connect: a user may record their own processes and sees their own "
                  "sessions, root all.",
                  run_serve);
  command->group("Service and setup");
  command->add_option("--socket", options->socket, std::string("Where to listen (default: ") + kDefaultSocket + ")")
      ->envname("PYCROSCOPE_SOCKET")
      ->type_name("PATH");
  command
      ->add_option("--store", options->store,
                   std::string("Where sessions are kept (default: PYCROSCOPE_STORE; for root ") + kServiceStore + ")")
      ->type_name("DIR");
  add_ready_fd(*command, options->ready_fd);
  add_quiet(*command, options->quiet);
  command->footer(R"(Examples:
  sudo pycroscoped serve
  pycroscoped serve --socket /tmp/pyc.sock --store /tmp/pyc-store
  pycroscoped attach -p 1234 --socket /tmp/pyc.sock)");
}

}  // namespace pycroscope

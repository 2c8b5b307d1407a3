#include <fmt/format.h>
#include <google/protobuf/stubs/logging.h>
#include <malloc.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <thread>

#include "client/cli/command_line.h"
#include "client/cli/connection.h"
#include "client/cli/options.h"
#include "client/cli/parse.h"
#include "client/cli/ready.h"
#include "client/cli/signals.h"
#include "client/cli/terminal.h"
#include "daemon/os/systemd.h"
#include "daemon/serve/socket_server.h"

namespace pycroscope {
namespace {

constexpr char kServiceStore[] = "/var/lib/pycroscope";
constexpr std::chrono::seconds kPatienceAtEnd(10);
// Each thread that answers requests would otherwise have an arena of its own, and keep what it has held once.
constexpr int kMallocArenas = 2;

struct ServeOptions {
  std::string socket = kDefaultSocket;
  std::string store;
  ServicePolicy policy;
  spdlog::level::level_enum log_level = spdlog::level::warn;
  std::optional<int> ready_fd;
  bool quiet = false;
};

std::filesystem::path service_store(const std::string& chosen) {
  if (!chosen.empty()) return chosen;
  const char* from_environment = std::getenv("PYCROSCOPE_STORE");
  const bool unset = from_environment == nullptr || *from_environment == '\0';
  return unset && ::geteuid() == 0 ? kServiceStore : Store::default_directory();
}

// The audit log is another logger: it is written whatever the level.
std::shared_ptr<spdlog::logger> start_logs(spdlog::level::level_enum level) {
  const spdlog::sink_ptr sink = service_log_sink();
  auto log = std::make_shared<spdlog::logger>("pycroscoped", sink);
  log->set_level(level);
  spdlog::set_default_logger(std::move(log));
  // What is wrong with a message is its sender's business.
  google::protobuf::SetLogHandler([](google::protobuf::LogLevel, const char*, int, const std::string& message) {
    spdlog::debug("protobuf: {}", message);
  });
  return std::make_shared<spdlog::logger>("pycroscoped", sink);
}

// At `inherited`, where systemd listens, or at the socket of the options.
Result<std::unique_ptr<SocketServer>> listen(const ServeOptions& options, Fd inherited, Engine& engine) {
  if (inherited) return SocketServer::serve_at(std::move(inherited), engine);
  return SocketServer::listen(options.socket, engine);
}

Result<int> run_serve(const ServeOptions& options) {
  PYC_CHECK(check_ready_fd(options.ready_fd));
  const auto audit = start_logs(options.log_level);
  ::mallopt(M_ARENA_MAX, kMallocArenas);
  std::mutex mutex;
  SocketServer* running = nullptr;  // guarded by mutex
  bool asked_to_end = false;        // guarded by mutex
  const SignalWatch watch([&] {
    const std::lock_guard lock(mutex);
    asked_to_end = true;
    if (running != nullptr) running->shutdown();
  });
  PYC_TRY(Store store, Store::open(service_store(options.store)));
  PYC_CHECK(store.keep_others_out());
  const std::string directory = store.directory().string();
  Engine engine(std::move(store));
  engine.begin_service(options.policy, audit);
  PYC_TRY(Fd inherited, socket_of_systemd());
  const std::string where = inherited ? "the socket that systemd holds" : options.socket;
  PYC_TRY(const std::unique_ptr<SocketServer> server, listen(options, std::move(inherited), engine));
  {
    const std::lock_guard lock(mutex);
    running = server.get();
    if (asked_to_end) server->shutdown();
  }
  if (!options.quiet) hint(fmt::format("serving {} at {}\n", directory, where));
  announce_ready(options.ready_fd, "");
  notify_systemd(fmt::format("READY=1\nSTATUS=Serving {}", directory));
  // Told twice in each interval, by the thread that accepts connections: while it does, the service is alive.
  const auto watchdog = watchdog_interval();
  const auto round = watchdog ? std::chrono::duration_cast<std::chrono::milliseconds>(*watchdog / 2)
                              : std::chrono::milliseconds::max();
  server->run(round, [&] {
    if (watchdog) notify_systemd("WATCHDOG=1");
  });
  notify_systemd("STOPPING=1\nSTATUS=Ending recordings");
  engine.end_service();
  // Everything is kept: a call that hangs has nothing to lose.
  std::thread([] {
    std::this_thread::sleep_for(kPatienceAtEnd);
    ::_exit(0);
  }).detach();
  const std::lock_guard lock(mutex);
  running = nullptr;
  return 0;
}

Result<spdlog::level::level_enum> parse_level(std::string_view text) {
  constexpr std::pair<std::string_view, spdlog::level::level_enum> kLevels[] = {{"debug", spdlog::level::debug},
                                                                                {"info", spdlog::level::info},
                                                                                {"warning", spdlog::level::warn},
                                                                                {"error", spdlog::level::err}};
  for (const auto& [name, level] : kLevels)
    if (text == name) return level;
  return fail(ErrorCode::kInvalid, fmt::format("'{}' is not a level: use debug, info, warning or error", text));
}

Result<uint32_t> parse_count(std::string_view text) {
  PYC_TRY(const int64_t count, parse_integer(text, "a number", 1, 1'000'000'000));
  return static_cast<uint32_t>(count);
}

void add_policy(CLI::App& app, ServicePolicy& policy) {
  add_value(app, "--max-recordings-per-user", policy.recordings_per_user, parse_count, "N",
            "Recordings of a user (but root) that may run at once (default: 32)");
  add_value(app, "--max-sessions-per-user", policy.sessions_per_user, parse_count, "N",
            "Sessions of a user that may be stored (default: any number)");
  add_value(app, "--max-bytes-per-user", policy.bytes_per_user, parse_size, "SIZE",
            "What the sessions of a user may take: 10GB; a recording that exceeds it ends (default: any size)");
  add_value(
      app, "--max-cpu-per-user", policy.cpu_percent_per_user, parse_percent, "PERCENT",
      "What the recordings of a user together may use of a core, beyond which their rates are lowered (default: 100%)");
  add_value(app, "--keep", policy.keep, parse_count, "N", "Keep the newest N sessions of each user, delete older ones");
  add_value(app, "--max-size", policy.max_bytes, parse_size, "SIZE",
            "Keep the newest sessions of each user that fit in this, delete older ones");
  add_value(app, "--max-memory", policy.max_memory_bytes, parse_size, "SIZE",
            "The service's own memory, beyond which all recordings lower their rates (default: 1GB)");
}

}  // namespace

void add_serve(CommandLine& line) {
  auto [command, options] =
      add_command(line, line.app, "serve",
                  "Run the service: one recorder and store for all users\n\n"
                  "Stays in the foreground until Ctrl-C or SIGTERM; recordings that run then end and are "
                  "kept, as interrupted. Anyone may connect: a user may record their own processes and sees their own "
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
  add_policy(*command, options->policy);
  add_value(*command, "--log-level", options->log_level, parse_level, "LEVEL",
            "What is logged: debug, info, warning (default) or error. Who attaches to what is logged always");
  add_config(line, *command, false);
  add_ready_fd(*command, options->ready_fd);
  add_quiet(*command, options->quiet);
  command->footer(R"(Examples:
  sudo pycroscoped serve
  pycroscoped serve --socket /tmp/pyc.sock --store /tmp/pyc-store
  pycroscoped attach -p 1234 --socket /tmp/pyc.sock)");
}

}  // namespace pycroscope

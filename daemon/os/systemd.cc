#include "daemon/os/systemd.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/systemd_sink.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

namespace pycroscope {
namespace {

// systemd.exec(5): the device and inode of what stderr was connected to.
bool stderr_is_the_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat file;
  return stream != nullptr && ::fstat(STDERR_FILENO, &file) == 0 &&
         fmt::format("{}:{}", file.st_dev, file.st_ino) == stream;
}

}  // namespace

Result<Fd> socket_of_systemd() {
  const int count = ::sd_listen_fds(1);
  if (count <= 0) return Fd();
  if (count > 1) return fail(ErrorCode::kFailed, "systemd passed several sockets: let the .socket unit listen at one");
  Fd fd(SD_LISTEN_FDS_START);
  if (::sd_is_socket(fd.get(), AF_UNIX, SOCK_STREAM, 1) <= 0)
    return fail(ErrorCode::kFailed, "systemd passed something else than a unix socket: use ListenStream=/PATH");
  const int flags = ::fcntl(fd.get(), F_GETFL);
  ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK);
  return fd;
}

void notify_systemd(const std::string& state) { ::sd_notify(0, state.c_str()); }

std::optional<std::chrono::microseconds> watchdog_interval() {
  uint64_t microseconds = 0;
  if (::sd_watchdog_enabled(0, &microseconds) <= 0) return std::nullopt;
  return std::chrono::microseconds(microseconds);
}

spdlog::sink_ptr service_log_sink() {
  if (stderr_is_the_journal()) return std::make_shared<spdlog::sinks::systemd_sink_mt>("pycroscoped");
  return std::make_shared<spdlog::sinks::stderr_sink_mt>();
}

}  // namespace pycroscope

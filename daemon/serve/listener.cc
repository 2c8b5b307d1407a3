#include "daemon/serve/listener.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

#include "daemon/os/file.h"

namespace pycroscope {
namespace {

constexpr int kBacklog = 128;

Result<sockaddr_un> socket_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return fail(ErrorCode::kInvalid, fmt::format("the socket's path has {} bytes, 1 to {} are possible: choose another",
                                                 path.size(), sizeof(address.sun_path) - 1));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

const sockaddr* generic(const sockaddr_un& address) { return reinterpret_cast<const sockaddr*>(&address); }

Result<Fd> new_socket() {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail(ErrorCode::kFailed, fmt::format("cannot make a socket: {}", errno_text(errno)));
  return fd;
}

std::unexpected<Error> in_use(const std::string& path) {
  return fail(
      ErrorCode::kFailed,
      fmt::format("the socket {} is in use: another service answers there, stop it or choose another socket", path));
}

// Removes what stands in the way, if that may be removed.
Status clear_path(const std::string& path, const sockaddr_un& address) {
  struct stat there;
  if (::lstat(path.c_str(), &there) != 0) {
    if (errno == ENOENT) return {};
    return os_failure(errno, "cannot look at", path);
  }
  if (!S_ISSOCK(there.st_mode)) {
    return fail(ErrorCode::kFailed, fmt::format("{} exists and is not a socket: choose another path", path));
  }
  PYC_TRY(Fd probe, new_socket());
  if (::connect(probe.get(), generic(address), sizeof(address)) == 0 || errno == EAGAIN) return in_use(path);
  if (errno != ECONNREFUSED) return os_failure(errno, "cannot find out whether somebody answers at", path);
  if (::unlink(path.c_str()) != 0) return os_failure(errno, "cannot remove the stale socket", path);
  return {};
}

}  // namespace

Result<Listener> Listener::bind(const std::string& path) {
  PYC_TRY(const sockaddr_un address, socket_address(path));
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (error) return os_failure(error.value(), "cannot make the socket's directory", parent.string());

  PYC_TRY(std::optional<SocketLock> lock, SocketLock::take(path + ".lock"));
  if (!lock) return in_use(path);
  PYC_CHECK(clear_path(path, address));
  PYC_TRY(Fd fd, new_socket());
  if (::bind(fd.get(), generic(address), sizeof(address)) != 0) return os_failure(errno, "cannot listen at", path);
  struct stat made;
  if (::lstat(path.c_str(), &made) != 0) return os_failure(errno, "cannot look at", path);
  Listener listener(path, std::move(lock), std::move(fd), made.st_dev, made.st_ino);
  // Who may do what is decided for each caller: anyone may connect.
  if (::fchmodat(AT_FDCWD, path.c_str(), 0666, AT_SYMLINK_NOFOLLOW) != 0) {
    return os_failure(errno, "cannot open to everybody", path);
  }
  if (::listen(listener.fd_.get(), kBacklog) != 0) return os_failure(errno, "cannot listen at", path);
  return listener;
}

Listener::~Listener() {
  if (!fd_ || path_.empty()) return;
  struct stat there;
  if (::lstat(path_.c_str(), &there) == 0 && there.st_dev == device_ && there.st_ino == inode_) {
    ::unlink(path_.c_str());
  }
}

Fd Listener::accept() const { return Fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)); }

}  // namespace pycroscope

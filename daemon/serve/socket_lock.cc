#include "daemon/serve/socket_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "daemon/os/file.h"

namespace pycroscope {

Result<std::optional<SocketLock>> SocketLock::take(std::string path) {
  while (true) {
    Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
    if (!fd) return os_failure(errno, "cannot make the socket's lock", path);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return std::nullopt;
    SocketLock lock(path, std::move(fd));
    if (lock.has_name()) return lock;
  }
}

SocketLock::~SocketLock() {
  if (fd_ && has_name()) ::unlink(path_.c_str());
}

bool SocketLock::has_name() const {
  struct stat ours, named;
  return ::fstat(fd_.get(), &ours) == 0 && ::lstat(path_.c_str(), &named) == 0 && ours.st_dev == named.st_dev &&
         ours.st_ino == named.st_ino;
}

}  // namespace pycroscope

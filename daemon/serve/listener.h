// A listening unix socket at a path, and its removal.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "analysis/model/result.h"
#include "daemon/os/fd.h"
#include "daemon/serve/socket_lock.h"

namespace pycroscope {

class Listener {
 public:
  // Makes the parent directories (0755), replaces a socket at which nobody answers, listens (non-blocking) with mode
  // 0666. kInvalid: the path is too long for a socket. kFailed: somebody answers there, or it is not a socket (a
  // symlink is not one). While the listener lives a lock on PATH.lock keeps a second one away.
  static Result<Listener> bind(const std::string& path);
  // A socket that listens already and is somebody else's to remove.
  static Listener inherit(Fd fd) { return Listener("", std::nullopt, std::move(fd), 0, 0); }
  Listener(Listener&&) noexcept = default;
  Listener& operator=(Listener&&) = delete;
  // Removes the socket unless another one stands there now, and its lock.
  ~Listener();

  const Fd& fd() const { return fd_; }
  // The next connection; an empty Fd when there is none now.
  Fd accept() const;

 private:
  Listener(std::string path, std::optional<SocketLock> lock, Fd fd, dev_t device, ino_t inode)
      : path_(std::move(path)), lock_(std::move(lock)), fd_(std::move(fd)), device_(device), inode_(inode) {}
  std::string path_;
  std::optional<SocketLock> lock_;  // outlives fd_
  Fd fd_;
  dev_t device_;
  ino_t inode_;
};

}  // namespace pycroscope

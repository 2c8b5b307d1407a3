// The lock beside a socket: a file that is there only while somebody holds it.
//
// Who ends removes the file before giving up the lock, and who has locked a file looks whether it still has its name:
// two can never both hold the lock, in whatever order they come and go.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "analysis/model/result.h"
#include "daemon/os/fd.h"

namespace pycroscope {

class SocketLock {
 public:
  // Nothing when somebody else holds it. Follows no symbolic link.
  static Result<std::optional<SocketLock>> take(std::string path);
  SocketLock(SocketLock&&) noexcept = default;
  SocketLock& operator=(SocketLock&&) = delete;
  ~SocketLock();

 private:
  SocketLock(std::string path, Fd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  // Whether what has the name is what we have open.
  bool has_name() const;

  std::string path_;
  Fd fd_;
};

}  // namespace pycroscope

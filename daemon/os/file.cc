#include "daemon/os/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace pycroscope {

std::string errno_text(int error) { return std::generic_category().message(error); }

std::unexpected<Error> os_failure(int error, const std::string& what, const std::string& path) {
  ErrorCode code = ErrorCode::kFailed;
  if (error == ENOENT || error == ESRCH) code = ErrorCode::kNotFound;
  if (error == EACCES || error == EPERM) code = ErrorCode::kNotPermitted;
  if (error == ENOSPC || error == EDQUOT) code = ErrorCode::kNoSpace;
  return fail(code, what + " " + path + ": " + errno_text(error));
}

Result<Fd> open_for_reading(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return os_failure(errno, "cannot open", path);
  return fd;
}

Result<Fd> open_regular_file(const std::string& path) {
  const Fd handle(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!handle) return os_failure(errno, "cannot open", path);
  struct stat status{};
  if (::fstat(handle.get(), &status) != 0) return os_failure(errno, "cannot look at", path);
  if (!S_ISREG(status.st_mode)) return fail(ErrorCode::kFailed, path + " is not a regular file");
  const std::string through = "/proc/self/fd/" + std::to_string(handle.get());
  Fd fd(::open(through.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return os_failure(errno, "cannot open", path);
  return fd;
}

Result<uint64_t> file_size(const Fd& fd) {
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return fail(ErrorCode::kFailed, "cannot look at a file: " + errno_text(errno));
  return static_cast<uint64_t>(status.st_size);
}

Result<size_t> read_at(const Fd& fd, uint64_t offset, std::span<std::byte> out) {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t n = ::pread(fd.get(), out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(ErrorCode::kFailed, "cannot read a file: " + errno_text(errno));
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

Result<std::string> read_file(const std::string& path, size_t limit) {
  PYC_TRY(const Fd fd, open_for_reading(path));
  std::string content;
  while (true) {
    const size_t have = content.size();
    // /proc gives at most a page or so at a time, however much is asked for.
    content.resize(have + std::max<size_t>(4096, have));
    const ssize_t n = ::read(fd.get(), content.data() + have, content.size() - have);
    if (n < 0 && errno == EINTR) {
      content.resize(have);
      continue;
    }
    if (n < 0) return os_failure(errno, "cannot read", path);
    content.resize(have + static_cast<size_t>(n));
    if (content.size() > limit) {
      return fail(ErrorCode::kFailed, path + " is larger than " + std::to_string(limit) + " bytes");
    }
    if (n == 0) return content;
  }
}

Result<std::string> read_link(const std::string& path) {
  std::string target(256, '\0');
  while (true) {
    const ssize_t n = ::readlink(path.c_str(), target.data(), target.size());
    if (n < 0) return os_failure(errno, "cannot read the link", path);
    if (static_cast<size_t>(n) < target.size()) {
      target.resize(static_cast<size_t>(n));
      return target;
    }
    target.resize(target.size() * 2);
  }
}

}  // namespace pycroscope

#include "daemon/session/source_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "daemon/os/file.h"

namespace pycroscope {
namespace {

Result<Fd> open_directory(const Process& process, std::string_view link) {
  const std::string path = fmt::format("/proc/{}/{}", process.pid(), link);
  Fd fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return os_failure(errno, "cannot open", path);
  return fd;
}

// A handle on the file, which is not opened yet: opening a device can have effects.
Result<Fd> locate(const Fd& directory, const std::string& filename, uint64_t resolve) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = resolve | RESOLVE_NO_MAGICLINKS;
  Fd fd(static_cast<int>(::syscall(SYS_openat2, directory.get(), filename.c_str(), &how, sizeof(how))));
  if (!fd) return os_failure(errno, "cannot open", filename);
  return fd;
}

Result<std::string> read_all(const Fd& fd, size_t size, const std::string& filename) {
  std::string content(size, '\0');
  size_t filled = 0;
  while (filled < size) {
    const ssize_t count = ::read(fd.get(), content.data() + filled, size - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return os_failure(errno, "cannot read", filename);
    if (count == 0) break;  // shorter than it was: what is left is what there is
    filled += static_cast<size_t>(count);
  }
  content.resize(filled);
  return content;
}

}  // namespace

bool names_a_file(std::string_view filename) {
  return !filename.empty() && filename.front() != '<' && filename.find('\0') == std::string_view::npos;
}

Result<TargetDirectories> TargetDirectories::open(const Process& process) {
  PYC_TRY(Fd root, open_directory(process, "root"));
  PYC_TRY(Fd working, open_directory(process, "cwd"));
  // The pid may have gone to another process in between.
  if (!process.alive()) return fail(ErrorCode::kTargetGone, fmt::format("process {} has ended", process.pid()));
  return TargetDirectories(std::move(root), std::move(working));
}

Result<std::string> TargetDirectories::read(const std::string& filename) const {
  const bool absolute = filename.starts_with('/');
  PYC_TRY(const Fd handle, locate(absolute ? root_ : working_, filename, absolute ? RESOLVE_IN_ROOT : RESOLVE_BENEATH));
  struct stat file;
  if (::fstat(handle.get(), &file) != 0) return os_failure(errno, "cannot look at", filename);
  if (!S_ISREG(file.st_mode)) return fail(ErrorCode::kFailed, filename + " is not a regular file");
  if (file.st_size > static_cast<off_t>(kMaxSourceBytes)) return fail(ErrorCode::kFailed, filename + " is too large");
  const std::string through = fmt::format("/proc/self/fd/{}", handle.get());
  const Fd fd(::open(through.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd) return os_failure(errno, "cannot open", filename);
  return read_all(fd, static_cast<size_t>(file.st_size), filename);
}

}  // namespace pycroscope

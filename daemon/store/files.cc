#include "daemon/store/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "daemon/os/fd.h"

namespace pycroscope {
namespace {

constexpr int kMaxDepth = 8;  // a session has two levels; its owner could have made more

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

uint64_t allocated_bytes(const struct stat& status) { return static_cast<uint64_t>(status.st_blocks) * 512; }

uint64_t bytes_below(int directory, int depth) {
  uint64_t total = 0;
  if (depth > kMaxDepth) return total;
  static_cast<void>(for_each_name(directory, [&](const char* name) {
    struct stat status{};
    if (::fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return;
    total += allocated_bytes(status);
    if (!S_ISDIR(status.st_mode)) return;
    if (Fd child(::openat(directory, name, kDirectoryFlags)); child) total += bytes_below(child.get(), depth + 1);
  }));  // what cannot be read cannot be counted
  return total;
}

Result<uint64_t> remove_entry(int parent, const char* name, int depth) {
  auto gone_or_error = [] {
    return errno == ENOENT ? Result<uint64_t>(0) : std::unexpected(system_error("cannot delete a session"));
  };
  struct stat status{};
  if (::fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return gone_or_error();
  uint64_t freed = allocated_bytes(status);
  bool is_directory = S_ISDIR(status.st_mode);
  if (is_directory) {
    if (depth > kMaxDepth) return fail(ErrorCode::kFailed, "cannot delete a session: its directories are too deep");
    Fd directory(::openat(parent, name, kDirectoryFlags));
    if (!directory) return gone_or_error();
    Status children;
    PYC_CHECK(for_each_name(directory.get(), [&](const char* child) {
      Result<uint64_t> removed = remove_entry(directory.get(), child, depth + 1);
      if (removed) freed += *removed;
      if (!removed) children = std::unexpected(removed.error());
    }));
    PYC_CHECK(children);
  }
  if (::unlinkat(parent, name, is_directory ? AT_REMOVEDIR : 0) != 0) return gone_or_error();
  return freed;
}

}  // namespace

Error system_error(const std::string& what) {
  int error = errno;
  auto code = ErrorCode::kFailed;
  if (error == ENOENT) code = ErrorCode::kNotFound;
  if (error == EEXIST || error == ENOTEMPTY) code = ErrorCode::kInvalid;
  if (error == EACCES || error == EPERM) code = ErrorCode::kNotPermitted;
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) code = ErrorCode::kNoSpace;
  return {code, fmt::format("{}: {}", what, std::strerror(error))};
}

Status for_each_name(int directory, const std::function<void(const char*)>& visit) {
  Fd copy(::openat(directory, ".", kDirectoryFlags));
  std::unique_ptr<DIR, CloseDirectory> stream(copy ? ::fdopendir(copy.get()) : nullptr);
  if (!stream) return std::unexpected(system_error("cannot list a directory of the store"));
  copy.release();  // owned by the stream
  while (const dirent* entry = ::readdir(stream.get()))
    if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0) visit(entry->d_name);
  return {};
}

uint64_t tree_bytes(int directory) { return bytes_below(directory, 0); }

Result<uint64_t> remove_tree(int parent, const std::string& name) { return remove_entry(parent, name.c_str(), 0); }

}  // namespace pycroscope

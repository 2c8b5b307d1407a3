#include "daemon/target/namespaces.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>

#include "daemon/os/file.h"
#include "daemon/target/proc_text.h"

namespace pycroscope {

Result<uint64_t> namespace_inode(std::string_view process, std::string_view kind) {
  struct stat entry{};
  const std::string path = fmt::format("/proc/{}/ns/{}", process, kind);
  if (::stat(path.c_str(), &entry) != 0) return os_failure(errno, "cannot look at", path);
  return entry.st_ino;
}

std::vector<uint64_t> ids_in_namespaces(pid_t id) {
  constexpr size_t kStatusLimit = 1 << 20;
  const auto status = read_file(fmt::format("/proc/{}/status", id), kStatusLimit);
  return status ? status_numbers(*status, "NSpid") : std::vector<uint64_t>();
}

}  // namespace pycroscope

#include "daemon/target/pids.h"

#include <dirent.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "daemon/os/file.h"
#include "daemon/target/proc_text.h"

namespace pycroscope {

Result<std::vector<pid_t>> list_pids() {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir("/proc"), ::closedir);
  if (!directory) return os_failure(errno, "cannot list the processes in", "/proc");
  std::vector<pid_t> pids;
  while (const dirent* entry = ::readdir(directory.get())) {
    if (const auto pid = parse_number<pid_t>(entry->d_name)) pids.push_back(*pid);
  }
  std::ranges::sort(pids);
  return pids;
}

}  // namespace pycroscope

#include "daemon/target/process_use.h"

#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <vector>

#include "daemon/os/file.h"
#include "daemon/target/proc_text.h"

namespace pycroscope {

uint64_t process_cpu_ns(pid_t pid) {
  // What clock_getcpuclockid(3) makes of a pid (CPUCLOCK_SCHED in linux/posix-timers.h), without the system call by
  // which it looks whether there is such a process.
  const auto clock = static_cast<clockid_t>((~static_cast<uint32_t>(pid) << 3) | 2);
  timespec time{};
  if (::clock_gettime(clock, &time) != 0) return 0;
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

uint64_t resident_bytes(pid_t pid) {
  constexpr size_t kLimit = 4096;
  const auto statm = read_file(fmt::format("/proc/{}/statm", pid), kLimit);
  if (!statm) return 0;
  // "SIZE RESIDENT ...", in pages.
  const std::vector<std::string> fields = split_terminated(*statm, ' ');
  const auto pages = fields.size() < 2 ? std::nullopt : parse_number<uint64_t>(fields[1]);
  return pages.value_or(0) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace pycroscope

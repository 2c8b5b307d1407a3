#include "daemon/session/host_info.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <cstdint>

#include "analysis/passes/json.h"

namespace pycroscope {

v1::Host host_info() {
  v1::Host host;
  utsname names{};
  if (::uname(&names) == 0) {
    host.set_name(valid_utf8(names.nodename));
    host.set_kernel(valid_utf8(names.release));
    host.set_machine(valid_utf8(names.machine));
  }
  if (const long cpus = ::sysconf(_SC_NPROCESSORS_ONLN); cpus > 0) host.set_cpus(static_cast<uint32_t>(cpus));
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page_size = ::sysconf(_SC_PAGESIZE);
  if (pages > 0 && page_size > 0)
    host.set_memory_bytes(static_cast<uint64_t>(pages) * static_cast<uint64_t>(page_size));
  return host;
}

}  // namespace pycroscope

#include "daemon/target/live_memory.h"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/os/yama.h"

namespace pycroscope {
namespace {

// The kernel takes remote addresses as pointers; this is the one place where a RemotePtr becomes one.
iovec remote_iovec(RemoteAddress address, size_t size) {
  return {reinterpret_cast<void*>(static_cast<uintptr_t>(address.address())), size};
}

std::string why_refused() {
  const std::string_view limit = ptrace_scope_limit(ptrace_scope().value_or(0), ::geteuid() == 0);
  return limit.empty() ? "run as root, or give pycroscoped CAP_SYS_PTRACE" : std::string(limit);
}

std::unexpected<Error> read_failure(pid_t pid, int error) {
  const std::string process = "process " + std::to_string(pid);
  switch (error) {
    case ESRCH:
      return fail(ErrorCode::kTargetGone, process + " has ended");
    case EPERM:
      return fail(ErrorCode::kNotPermitted, "not permitted to read the memory of " + process + ": " + why_refused());
    default:
      return fail(ErrorCode::kMemory, process + ": " + std::strerror(error));
  }
}

}  // namespace

Status LiveMemory::read_bytes(RemoteAddress address, std::span<std::byte> out) const {
  // A partial read means that a later part is unmapped: asking for the rest tells why.
  size_t done = 0;
  while (done < out.size()) {
    const iovec local{out.data() + done, out.size() - done};
    const iovec remote = remote_iovec(address + done, out.size() - done);
    const ssize_t n = process_vm_readv(pid_, &local, 1, &remote, 1, 0);
    if (n <= 0) return read_failure(pid_, n == 0 ? EFAULT : errno);
    done += static_cast<size_t>(n);
  }
  return {};
}

Status LiveMemory::read_ranges(std::span<const Range> ranges) const {
  std::vector<iovec> local, remote;
  while (!ranges.empty()) {
    const auto batch = ranges.first(std::min<size_t>(ranges.size(), IOV_MAX));
    ranges = ranges.subspan(batch.size());
    local.clear();
    remote.clear();
    size_t total = 0;
    for (const Range& range : batch) {
      local.push_back({range.out.data(), range.out.size()});
      remote.push_back(remote_iovec(range.address, range.out.size()));
      total += range.out.size();
    }
    const ssize_t n = process_vm_readv(pid_, local.data(), local.size(), remote.data(), remote.size(), 0);
    if (n < 0) return read_failure(pid_, errno);
    // The kernel stops at the first bad page and, for huge totals, at 2 GiB: the slow path tells which it was.
    if (static_cast<size_t>(n) != total) {
      for (const Range& range : batch) PYC_CHECK(read_bytes(range.address, range.out));
    }
  }
  return {};
}

}  // namespace pycroscope

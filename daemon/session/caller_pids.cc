#include "daemon/session/caller_pids.h"

#include <fmt/format.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <vector>

#include "daemon/os/file.h"
#include "daemon/target/namespaces.h"
#include "daemon/target/pids.h"

namespace pycroscope {
namespace {

uint64_t inode_of(const Fd& ns) {
  struct stat entry{};
  return ::fstat(ns.get(), &entry) == 0 ? entry.st_ino : 0;
}

// The pid namespace `up` levels above that of a process, as an inode; 0: not known.
uint64_t namespace_above(pid_t pid, size_t up) {
  auto ns = open_for_reading(fmt::format("/proc/{}/ns/pid", pid));
  for (; ns && up > 0; --up) *ns = Fd(::ioctl(ns->get(), NS_GET_PARENT));
  return ns ? inode_of(*ns) : 0;
}

bool shares_our_namespace(const Caller& caller) {
  return caller.pid_namespace == 0 || caller.pid_namespace == namespace_inode("self", "pid").value_or(0);
}

}  // namespace

std::optional<pid_t> pid_for_caller(const Caller& caller, pid_t pid) {
  if (shares_our_namespace(caller)) return pid;
  const std::vector<uint64_t> pids = ids_in_namespaces(pid);
  for (size_t up = 0; up < pids.size(); ++up)
    if (namespace_above(pid, up) == caller.pid_namespace) return static_cast<pid_t>(pids[pids.size() - 1 - up]);
  return std::nullopt;
}

Result<pid_t> pid_from_caller(const Caller& caller, pid_t pid) {
  if (shares_our_namespace(caller)) return pid;
  PYC_TRY(const std::vector<pid_t> pids, list_pids());
  for (const pid_t ours : pids)
    if (pid_for_caller(caller, ours) == pid) return ours;
  return fail(ErrorCode::kTargetGone, fmt::format("there is no process {} in your pid namespace", pid));
}

}  // namespace pycroscope

#include "daemon/session/permission.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/os/file.h"
#include "daemon/target/namespaces.h"
#include "daemon/target/proc_text.h"

namespace pycroscope {
namespace {

constexpr size_t kStatusLimit = 1 << 20;

std::string proc_file(pid_t pid, std::string_view name) { return fmt::format("/proc/{}/{}", pid, name); }

// A hexadecimal mask of /proc/PID/status.
std::optional<uint64_t> status_mask(std::string_view status, std::string_view key) {
  const size_t start = status.find(fmt::format("\n{}:\t", key));
  if (start == std::string_view::npos) return std::nullopt;
  std::string_view value = status.substr(start + key.size() + 3);
  value = value.substr(0, value.find('\n'));
  return parse_number<uint64_t>(value, 16);
}

// The files of a process that is not dumpable belong to root (proc(5), task_dump_owner() in fs/proc/base.c).
Result<bool> is_dumpable(const Process& process, const ProcessIds& ids) {
  struct stat file;
  const std::string path = proc_file(process.pid(), "maps");
  if (::stat(path.c_str(), &file) != 0) return os_failure(errno, "cannot look at", path);
  constexpr size_t kEffective = 1;
  return file.st_uid == ids.uid[kEffective] && file.st_gid == ids.gid[kEffective];
}

bool all_equal(const auto& ids, auto wanted) {
  return std::ranges::all_of(ids, [&](auto id) { return id == wanted; });
}

std::unexpected<Error> refused(const TargetFacts& target, std::string_view why) {
  return fail(ErrorCode::kNotPermitted, fmt::format("not permitted to look into process {}: {}", target.pid, why));
}

}  // namespace

Result<uint64_t> capabilities_of(pid_t pid) {
  PYC_TRY(const std::string status, read_file(proc_file(pid, "status"), kStatusLimit));
  const auto permitted = status_mask(status, "CapPrm");
  const auto effective = status_mask(status, "CapEff");
  if (!permitted || !effective) return fail(ErrorCode::kFailed, "cannot understand " + proc_file(pid, "status"));
  return *permitted | *effective;
}

Result<TargetFacts> target_facts(const Process& process) {
  TargetFacts facts;
  facts.pid = process.pid();
  PYC_TRY(facts.ids, process.ids());
  PYC_TRY(facts.capabilities, capabilities_of(facts.pid));
  PYC_TRY(facts.dumpable, is_dumpable(process, facts.ids));
  PYC_TRY(facts.user_namespace, namespace_inode(std::to_string(facts.pid), "user"));
  return facts;
}

Status may_attach(const Caller& caller, const TargetFacts& target) {
  if (caller.root()) return {};
  if (!all_equal(target.ids.uid, caller.uid)) {
    return refused(target, "it belongs to somebody else; ask root, or run the command with sudo");
  }
  if (!all_equal(target.ids.gid, caller.gid)) {
    return refused(target, "its group ids are not yours; run the command with sudo");
  }
  if (caller.user_namespace == 0 || target.user_namespace != caller.user_namespace) {
    return refused(target, "it runs in another user namespace; run the command there, or with sudo");
  }
  if (!target.dumpable) {
    return refused(target, "it has made itself undumpable (prctl(2), PR_SET_DUMPABLE); run the command with sudo");
  }
  if ((target.capabilities & ~caller.capabilities) != 0) {
    return refused(target, "it has capabilities that you do not have; run the command with sudo");
  }
  return {};
}

Status check_attach(const Caller& caller, const Process& process) {
  if (caller.root()) return {};
  const Result<TargetFacts> facts = target_facts(process);
  if (!process.alive()) {
    return fail(ErrorCode::kTargetGone, fmt::format("process {} has ended", process.pid()));
  }
  if (facts) return may_attach(caller, *facts);
  if (facts.error().code != ErrorCode::kNotPermitted) return std::unexpected(facts.error());
  // The kernel hides the namespaces of what this user may not look into.
  return fail(
      ErrorCode::kNotPermitted,
      fmt::format("not permitted to look into process {}: the kernel refuses it to you; run the command with sudo",
                  process.pid()));
}

}  // namespace pycroscope

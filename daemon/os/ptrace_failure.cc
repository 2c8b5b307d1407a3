#include "daemon/os/ptrace_failure.h"

#include "daemon/os/file.h"

namespace pycroscope {
namespace {

constexpr size_t kProcLimit = 64 << 10;

// kernel.yama.ptrace_scope, 0 where there is no Yama.
int yama_scope() {
  const auto text = read_file("/proc/sys/kernel/yama/ptrace_scope", kProcLimit);
  return text && !text->empty() ? (*text)[0] - '0' : 0;
}

}  // namespace

std::string task_status(pid_t pid, pid_t tid, std::string_view key) {
  const auto status =
      read_file("/proc/" + std::to_string(pid) + "/task/" + std::to_string(tid) + "/status", kProcLimit);
  if (!status) return {};
  const size_t line = status->find("\n" + std::string(key) + ":");
  if (line == std::string::npos) return {};
  const size_t begin = status->find_first_not_of(" \t", line + key.size() + 2);
  if (begin == std::string::npos) return {};
  return status->substr(begin, status->find('\n', begin) - begin);
}

bool has_ended(pid_t pid, pid_t tid) {
  const std::string state = task_status(pid, tid, "State");
  return state.empty() || state[0] == 'Z' || state[0] == 'X';
}

Error seize_failure(pid_t pid, pid_t tid) {
  const std::string process = "process " + std::to_string(pid);
  // A thread that has ended but is still listed is not permitted either.
  if (has_ended(pid, tid)) return Error{ErrorCode::kTargetGone, process + " has ended"};
  if (const std::string tracer = task_status(pid, tid, "TracerPid"); !tracer.empty() && tracer != "0") {
    return Error{ErrorCode::kFailed, process + " is already traced by process " + tracer +
                                         " (a debugger or strace): end that one and try again"};
  }
  switch (yama_scope()) {
    case 1:
      return Error{ErrorCode::kNotPermitted,
                   "not permitted to stop " + process +
                       ": the kernel lets only parents trace their children; use sudo, or set "
                       "kernel.yama.ptrace_scope to 0 (sudo sysctl kernel.yama.ptrace_scope=0)"};
    case 2:
      return Error{ErrorCode::kNotPermitted,
                   "not permitted to stop " + process +
                       ": kernel.yama.ptrace_scope is 2, which leaves tracing to root; use sudo"};
    case 3:
      return Error{ErrorCode::kNotPermitted,
                   "not permitted to stop " + process +
                       ": kernel.yama.ptrace_scope is 3, which forbids all tracing until the next boot"};
    default:
      return Error{ErrorCode::kNotPermitted,
                   "not permitted to stop " + process + ": it belongs to somebody else or has more rights; use sudo"};
  }
}

}  // namespace pycroscope

#include "daemon/target/process.h"

#include <dirent.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <string_view>

#include "daemon/os/file.h"
#include "daemon/target/proc_text.h"

namespace pycroscope {
namespace {

constexpr size_t kProcFileLimit = 4 << 20;  // a command line or environment can be as large as ARG_MAX

std::string proc_path(pid_t pid, std::string_view file) {
  return "/proc/" + std::to_string(pid) + "/" + std::string(file);
}

std::unexpected<Error> no_process(pid_t pid) {
  return fail(ErrorCode::kTargetGone, "there is no process " + std::to_string(pid));
}

// Errors of /proc/PID files in terms of the process: a file that is not there means that the process is not.
std::unexpected<Error> proc_failure(pid_t pid, Error error) {
  if (error.code == ErrorCode::kNotFound) {
    return fail(ErrorCode::kTargetGone, "process " + std::to_string(pid) + " has ended");
  }
  return std::unexpected(std::move(error));
}

Result<std::string> read_proc(pid_t pid, std::string_view file) {
  auto content = read_file(proc_path(pid, file), kProcFileLimit);
  if (!content) return proc_failure(pid, std::move(content).error());
  return content;
}

Result<std::string> read_proc_link(pid_t pid, std::string_view file) {
  auto target = read_link(proc_path(pid, file));
  if (!target) return proc_failure(pid, std::move(target).error());
  return target;
}

bool readable_now(const Fd& fd) {
  pollfd poll_fd{fd.get(), POLLIN, 0};
  return ::poll(&poll_fd, 1, 0) > 0;
}

}  // namespace

Result<Process> Process::open(pid_t pid) {
  if (pid <= 0) return no_process(pid);
  // glibc 2.36 declares pidfd_open() for C only.
  Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  const int open_error = errno;
  if (!pidfd && open_error == ESRCH) return no_process(pid);

  PYC_TRY(const std::string status, read_proc(pid, "status"));
  const auto group = status_numbers(status, "Tgid");
  if (!group.empty() && group[0] != static_cast<uint64_t>(pid)) {
    const std::string owner = std::to_string(group[0]);
    return fail(ErrorCode::kFailed, std::to_string(pid) + " is a thread of process " + owner + ": use " + owner);
  }
  if (!pidfd) return os_failure(open_error, "cannot open process", std::to_string(pid));

  PYC_TRY(const std::string line, read_proc(pid, "stat"));
  const std::optional<ProcStat> stat = parse_stat(line);
  if (!stat) return fail(ErrorCode::kFailed, "cannot understand " + proc_path(pid, "stat"));
  const std::string name = "process " + std::to_string(pid) + " (" + printable(stat->name) + ")";
  if (stat->is_kernel_thread()) return fail(ErrorCode::kFailed, name + " is a kernel thread, not a Python process");
  if (stat->state == 'Z' || stat->state == 'X' || readable_now(pidfd)) {
    return fail(ErrorCode::kTargetGone, name + " has ended");
  }
  // The pidfd still names a living process, so what was read in between belongs to the same one.
  return Process(pid, stat->start_time_ticks, std::move(pidfd));
}

bool Process::alive() const { return pidfd_ && !readable_now(pidfd_); }

pid_t Process::parent() const {
  const auto line = read_proc(pid_, "stat");
  const std::optional<ProcStat> stat = line ? parse_stat(*line) : std::nullopt;
  return stat ? stat->parent : 0;
}

Result<std::string> Process::cgroup() const {
  PYC_TRY(const std::string groups, read_proc(pid_, "cgroup"));
  // "HIERARCHY:CONTROLLERS:PATH"; the unified one is number 0.
  constexpr std::string_view kUnified = "0::";
  for (const std::string& line : split_terminated(groups, '\n'))
    if (line.starts_with(kUnified)) return line.substr(kUnified.size());
  return fail(ErrorCode::kNotFound, "process " + std::to_string(pid_) + " is in no unified control group");
}

Result<ProcessIds> Process::ids() const {
  PYC_TRY(const std::string status, read_proc(pid_, "status"));
  const auto uids = status_numbers(status, "Uid");
  const auto gids = status_numbers(status, "Gid");
  if (uids.size() != 4 || gids.size() != 4) {
    return fail(ErrorCode::kFailed, "cannot understand " + proc_path(pid_, "status"));
  }
  ProcessIds ids{};
  std::transform(uids.begin(), uids.end(), ids.uid, [](uint64_t id) { return static_cast<uid_t>(id); });
  std::transform(gids.begin(), gids.end(), ids.gid, [](uint64_t id) { return static_cast<gid_t>(id); });
  return ids;
}

Result<std::vector<std::string>> Process::command() const {
  PYC_TRY(const std::string text, read_proc(pid_, "cmdline"));
  return split_terminated(text, '\0');
}

Result<std::vector<std::string>> Process::environment() const {
  PYC_TRY(const std::string text, read_proc(pid_, "environ"));
  return split_terminated(text, '\0');
}

Result<std::vector<ThreadEntry>> Process::threads() const {
  const std::string tasks = proc_path(pid_, "task");
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(tasks.c_str()), ::closedir);
  if (!directory) {
    const int error = errno;
    return proc_failure(pid_, os_failure(error, "cannot read", tasks).error());
  }
  std::vector<ThreadEntry> threads;
  while (const dirent* entry = ::readdir(directory.get())) {
    const auto tid = parse_number<pid_t>(entry->d_name);
    if (!tid) continue;
    // Threads that end meanwhile are not there any more.
    const auto line = read_file(tasks + "/" + entry->d_name + "/stat", kProcFileLimit);
    if (!line) continue;
    if (auto stat = parse_stat(*line)) threads.push_back({*tid, std::move(stat->name), stat->state});
  }
  if (threads.empty()) return fail(ErrorCode::kTargetGone, "process " + std::to_string(pid_) + " has ended");
  std::ranges::sort(threads, {}, &ThreadEntry::tid);
  return threads;
}

Result<std::string> Process::executable() const {
  PYC_TRY(std::string path, read_proc_link(pid_, "exe"));
  strip_deleted(path);
  return path;
}

Result<std::string> Process::working_directory() const {
  PYC_TRY(std::string path, read_proc_link(pid_, "cwd"));
  strip_deleted(path);
  return path;
}

std::string Process::reach(const std::string& path) const {
  return proc_path(pid_, "root") + (path.starts_with('/') ? "" : "/") + path;
}

}  // namespace pycroscope

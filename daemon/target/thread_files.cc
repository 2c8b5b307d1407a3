#include "daemon/target/thread_files.h"

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string_view>

#include "daemon/os/file.h"
#include "daemon/target/proc_text.h"

namespace pycroscope {
namespace {

// Room for a line of stat; the others are shorter.
using Line = std::array<char, 1024>;

// Nothing when the thread has ended.
std::optional<std::string_view> read_line(const Fd& fd, Line& line) {
  const ssize_t size = ::pread(fd.get(), line.data(), line.size(), 0);
  if (size <= 0) return std::nullopt;
  return std::string_view(line.data(), static_cast<size_t>(size));
}

// Takes the next word off the front of `text`.
std::string_view take_word(std::string_view& text) {
  const size_t begin = std::min(text.find_first_not_of(" \n"), text.size());
  text.remove_prefix(begin);
  const size_t end = std::min(text.find_first_of(" \n"), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end);
  return word;
}

uint64_t hexadecimal(std::string_view word) {
  return word.starts_with("0x") ? parse_number<uint64_t>(word.substr(2), 16).value_or(0) : 0;
}

// "running", "-1 SP PC", or "NR ARGUMENTS(6) SP PC": proc_pid_syscall() in linux/fs/proc/base.c.
ThreadState parse_syscall(std::string_view line) {
  ThreadState state;
  const std::string_view first = take_word(line);
  if (first == "running") return {.runs = true, .syscall = std::nullopt};
  state.syscall = parse_number<uint32_t>(first);
  if (state.syscall) state.argument = hexadecimal(take_word(line));
  for (std::string_view word = take_word(line); !word.empty(); word = take_word(line))
    state.instruction = hexadecimal(word);
  return state;
}

}  // namespace

std::vector<pid_t> thread_ids(pid_t pid) {
  std::vector<pid_t> ids;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(fmt::format("/proc/{}/task", pid).c_str()), ::closedir);
  while (const dirent* entry = directory ? ::readdir(directory.get()) : nullptr)
    if (const auto tid = parse_number<pid_t>(entry->d_name)) ids.push_back(*tid);
  return ids;
}

Result<ThreadFiles> ThreadFiles::open(pid_t pid, pid_t tid) {
  const std::string task = fmt::format("/proc/{}/task/{}/", pid, tid);
  auto schedstat = open_for_reading(task + "schedstat");
  if (!schedstat && schedstat.error().code == ErrorCode::kNotFound)
    return fail(ErrorCode::kTargetGone, fmt::format("thread {} has ended", tid));
  if (!schedstat) return std::unexpected(std::move(schedstat).error());
  auto syscall = open_for_reading(task + "syscall");
  Line line;
  if (syscall && read_line(*syscall, line)) return ThreadFiles(*std::move(schedstat), *std::move(syscall), Fd());
  PYC_TRY(Fd stat, open_for_reading(task + "stat"));
  return ThreadFiles(*std::move(schedstat), Fd(), std::move(stat));
}

std::optional<ThreadTimes> ThreadFiles::times() const {
  Line buffer;
  auto line = read_line(schedstat_, buffer);
  if (!line) return std::nullopt;
  ThreadTimes times;
  times.on_cpu_ns = parse_number<uint64_t>(take_word(*line)).value_or(0);
  take_word(*line);  // time spent waiting for a CPU
  times.turns = parse_number<uint64_t>(take_word(*line)).value_or(0);
  return times;
}

std::optional<ThreadState> ThreadFiles::state() const {
  Line buffer;
  if (syscall_) {
    const auto line = read_line(syscall_, buffer);
    return line ? std::optional(parse_syscall(*line)) : std::nullopt;
  }
  const auto line = read_line(stat_, buffer);
  const auto stat = line ? parse_stat(*line) : std::nullopt;
  if (!stat || stat->state == 'Z' || stat->state == 'X') return std::nullopt;
  return ThreadState{.runs = stat->state == 'R', .syscall = std::nullopt};
}

}  // namespace pycroscope

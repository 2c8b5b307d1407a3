#include "daemon/target/thread_files.h"

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>

#include "daemon/os/file.h"
#include "daemon/target/proc_text.h"

namespace pycroscope {
namespace {

using Line = std::array<char, 512>;

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
ThreadActivity parse_syscall(std::string_view line) {
  ThreadActivity state;
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
  std::ranges::sort(ids);
  return ids;
}

Result<ThreadFiles> ThreadFiles::open(pid_t pid, pid_t tid) {
  const std::string task = fmt::format("/proc/{}/task/{}/", pid, tid);
  auto schedstat = open_for_reading(task + "schedstat");
  auto syscall = open_for_reading(task + "syscall");
  for (const auto* file : {&schedstat, &syscall}) {
    if (*file) continue;
    const bool gone = file->error().code == ErrorCode::kNotFound;
    return gone ? fail(ErrorCode::kTargetGone, fmt::format("thread {} has ended", tid))
                : std::unexpected(file->error());
  }
  return ThreadFiles(*std::move(schedstat), *std::move(syscall));
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

std::optional<ThreadActivity> ThreadFiles::state() const {
  Line buffer;
  const auto line = read_line(syscall_, buffer);
  return line ? std::optional(parse_syscall(*line)) : std::nullopt;
}

}  // namespace pycroscope

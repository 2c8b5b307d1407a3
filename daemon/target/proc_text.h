// The text formats of /proc/PID, parsed without trusting them: names in them are whatever a process chose.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pycroscope {

template <class T>
std::optional<T> parse_number(std::string_view text, int base = 10) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The fields of /proc/PID/stat that we use; proc(5) has the rest.
struct ProcStat {
  std::string name;
  char state = '?';
  int32_t parent = 0;  // its pid
  uint64_t flags = 0;
  uint64_t start_time_ticks = 0;

  bool is_kernel_thread() const;
};
// The name stands in parentheses and may contain any of ") \n".
std::optional<ProcStat> parse_stat(std::string_view line);

// The numbers of the line "KEY:\t1 2 3" of /proc/PID/status; empty when it is not there.
std::vector<uint64_t> status_numbers(std::string_view status, std::string_view key);

// "a\0b\0" → a, b; also without the last terminator.
std::vector<std::string> split_terminated(std::string_view text, char terminator);

// Removes a final " (deleted)"; true when there was one.
bool strip_deleted(std::string& path);

// `name` with control characters as "?", fit for a sentence on a terminal.
std::string printable(std::string_view name);

}  // namespace pycroscope

#include "daemon/target/proc_text.h"

#include <algorithm>

namespace pycroscope {
namespace {

constexpr uint64_t kKernelThread = 0x00200000;  // PF_KTHREAD, linux/include/linux/sched.h

std::vector<std::string_view> split_blanks(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\n";
  std::vector<std::string_view> words;
  for (size_t begin = text.find_first_not_of(kBlanks); begin != text.npos;) {
    const size_t end = std::min(text.find_first_of(kBlanks, begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    begin = text.find_first_not_of(kBlanks, end);
  }
  return words;
}

}  // namespace

bool ProcStat::is_kernel_thread() const { return (flags & kKernelThread) != 0; }

std::optional<ProcStat> parse_stat(std::string_view line) {
  const size_t open = line.find('(');
  const size_t close = line.rfind(')');
  if (open == line.npos || close == line.npos || close < open) return std::nullopt;
  // Field 3 (state) is the first after the name; the parent is field 4, flags are field 9, the start time is field 22.
  const auto fields = split_blanks(line.substr(close + 1));
  if (fields.size() < 20 || fields[0].size() != 1) return std::nullopt;
  const auto parent = parse_number<int32_t>(fields[4 - 3]);
  const auto flags = parse_number<uint64_t>(fields[9 - 3]);
  const auto start = parse_number<uint64_t>(fields[22 - 3]);
  if (!parent || !flags || !start) return std::nullopt;
  return ProcStat{std::string(line.substr(open + 1, close - open - 1)), fields[0][0], *parent, *flags, *start};
}

std::vector<uint64_t> status_numbers(std::string_view status, std::string_view key) {
  std::vector<uint64_t> numbers;
  for (const std::string& line : split_terminated(status, '\n')) {
    if (!line.starts_with(key) || line.size() <= key.size() || line[key.size()] != ':') continue;
    for (std::string_view word : split_blanks(std::string_view(line).substr(key.size() + 1))) {
      const auto number = parse_number<uint64_t>(word);
      if (!number) return {};
      numbers.push_back(*number);
    }
    break;
  }
  return numbers;
}

std::vector<std::string> split_terminated(std::string_view text, char terminator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(terminator), text.size());
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

bool strip_deleted(std::string& path) {
  constexpr std::string_view kDeleted = " (deleted)";
  if (!path.ends_with(kDeleted)) return false;
  path.resize(path.size() - kDeleted.size());
  return true;
}

std::string printable(std::string_view name) {
  std::string text(name);
  std::ranges::replace_if(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return text;
}

}  // namespace pycroscope

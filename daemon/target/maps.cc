#include "daemon/target/maps.h"

#include <algorithm>
#include <optional>

#include "daemon/os/file.h"
#include "daemon/target/proc_text.h"

namespace pycroscope {
namespace {

constexpr size_t kMapsLimit = 256 << 20;  // vm.max_map_count can be raised; a line is about 100 bytes

// Takes the part of `line` before `separator` and the separator itself off its front.
std::string_view take(std::string_view& line, char separator) {
  const size_t end = std::min(line.find(separator), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

// "begin-end perms offset major:minor inode   path", linux/fs/proc/task_mmu.c show_map_vma().
std::optional<MapEntry> parse_line(std::string_view line) {
  const auto begin = parse_number<uint64_t>(take(line, '-'), 16);
  const auto end = parse_number<uint64_t>(take(line, ' '), 16);
  const std::string_view permissions = take(line, ' ');
  const auto offset = parse_number<uint64_t>(take(line, ' '), 16);
  const auto major = parse_number<uint32_t>(take(line, ':'), 16);
  const auto minor = parse_number<uint32_t>(take(line, ' '), 16);
  const auto inode = parse_number<uint64_t>(take(line, ' '));
  if (!begin || !end || *begin >= *end || permissions.size() != 4 || !offset || !major || !minor || !inode) {
    return std::nullopt;
  }
  MapEntry entry;
  entry.begin = RemoteAddress(*begin);
  entry.end = RemoteAddress(*end);
  entry.readable = permissions[0] == 'r';
  entry.writable = permissions[1] == 'w';
  entry.executable = permissions[2] == 'x';
  entry.offset = *offset;
  entry.device_major = *major;
  entry.device_minor = *minor;
  entry.inode = *inode;
  // Names of files begin with '/', so the padding before them is told from blanks in them.
  entry.path = line.substr(std::min(line.find_first_not_of(' '), line.size()));
  entry.deleted = entry.is_file() && strip_deleted(entry.path);
  return entry;
}

}  // namespace

std::vector<MapEntry> parse_maps(std::string_view text) {
  std::vector<MapEntry> entries;
  while (!text.empty()) {
    if (auto entry = parse_line(take(text, '\n'))) entries.push_back(*std::move(entry));
  }
  return entries;
}

Result<std::vector<MapEntry>> read_maps(const Process& process) {
  const std::string pid = std::to_string(process.pid());
  auto text = read_file("/proc/" + pid + "/maps", kMapsLimit);
  if (text) return parse_maps(*text);
  if (text.error().code == ErrorCode::kNotFound) return fail(ErrorCode::kTargetGone, "process " + pid + " has ended");
  if (text.error().code == ErrorCode::kNotPermitted) {
    return fail(ErrorCode::kNotPermitted,
                "not permitted to look into process " + pid + ": run as root or as the user of that process");
  }
  return std::unexpected(std::move(text).error());
}

}  // namespace pycroscope

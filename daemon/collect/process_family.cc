#include "daemon/collect/process_family.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <string>

#include "daemon/os/file.h"
#include "daemon/target/children.h"
#include "daemon/target/proc_text.h"

namespace pycroscope {
namespace {

constexpr size_t kStatLimit = 1 << 16;

// Field `number` of a line of /proc/PID/stat, counted from 1 as in proc(5); after the name only.
uint64_t stat_field(const std::vector<std::string>& fields, size_t number) {
  constexpr size_t kFirst = 3;
  return number - kFirst < fields.size() ? parse_number<uint64_t>(fields[number - kFirst]).value_or(0) : 0;
}

}  // namespace

std::optional<ProcessFamily::Placement> ProcessFamily::placement_of(pid_t pid) {
  const auto line = read_file(fmt::format("/proc/{}/stat", pid), kStatLimit);
  if (!line || line->rfind(") ") == line->npos) return {};
  const auto fields = split_terminated(line->substr(line->rfind(") ") + 2), ' ');
  const Placement placement = {.start_code = stat_field(fields, 26), .arguments = stat_field(fields, 48)};
  // The code is placed last: without it, an exec is under way.
  if (placement.start_code == 0) return {};
  return placement;
}

ProcessFamily::Program ProcessFamily::program_of(pid_t pid) {
  const auto placement = placement_of(pid);
  struct stat executable;
  if (!placement || ::stat(fmt::format("/proc/{}/exe", pid).c_str(), &executable) != 0) return {};
  // An exec in between would mix two programs.
  if (placement_of(pid) != placement) return {};
  return {.device = executable.st_dev, .inode = executable.st_ino, .placement = *placement};
}

bool ProcessFamily::runs_still(pid_t pid, const Program& program) {
  struct stat executable;
  return placement_of(pid) == program.placement && ::stat(fmt::format("/proc/{}/exe", pid).c_str(), &executable) == 0 &&
         executable.st_dev == program.device && executable.st_ino == program.inode;
}

void ProcessFamily::add(pid_t pid) { programs_.insert_or_assign(pid, program_of(pid)); }

void ProcessFamily::find_children(std::vector<FamilyEvent>& events) {
  std::vector<pid_t> members;
  for (const auto& [pid, program] : programs_) members.push_back(pid);
  for (size_t i = 0; i < members.size(); ++i) {
    for (const pid_t child : children(members[i])) {
      if (!programs_.try_emplace(child, programs_[members[i]]).second) continue;
      events.push_back({PYC_LIFECYCLE_FORK, child, members[i]});
      members.push_back(child);
    }
  }
}

std::vector<FamilyEvent> ProcessFamily::look(bool children) {
  std::vector<FamilyEvent> events;
  if (children) find_children(events);
  for (auto& [pid, program] : programs_) {
    if (program && runs_still(pid, program)) continue;
    const Program now = program_of(pid);
    if (!now || now == program) continue;
    if (program) events.push_back({PYC_LIFECYCLE_EXEC, pid, pid});
    program = now;
  }
  return events;
}

}  // namespace pycroscope

// The births of a family of processes, and the programs that they start, as far as looking from time to time shows
// them.
#pragma once

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "bpf/include/records.h"

namespace pycroscope {

struct FamilyEvent {
  pyc_lifecycle_event event;
  pid_t pid;
  pid_t parent;  // of a fork; of an exec the process itself
};

// One owner thread.
class ProcessFamily {
 public:
  // From now on `pid` and, where asked for, its children belong to the family.
  void add(pid_t pid);
  void remove(pid_t pid) { programs_.erase(pid); }
  // What has happened since the last look, in order. Children found become members.
  std::vector<FamilyEvent> look(bool children);

 private:
  // Addresses that the kernel chooses at random when a program starts.
  struct Placement {
    uint64_t start_code = 0, arguments = 0;
    bool operator==(const Placement&) const = default;
  };
  // What a process runs: a fork has it in common with its parent, and an exec changes it.
  struct Program {
    uint64_t device = 0, inode = 0;  // of the executable
    Placement placement;
    bool operator==(const Program&) const = default;
    explicit operator bool() const { return placement.start_code != 0; }
  };
  // Nothing: not known, about to change, or it has ended.
  static std::optional<Placement> placement_of(pid_t pid);
  static Program program_of(pid_t pid);
  // False also when it cannot be told.
  static bool runs_still(pid_t pid, const Program& program);
  void find_children(std::vector<FamilyEvent>& events);

  std::map<pid_t, Program> programs_;  // by member
};

}  // namespace pycroscope

// The births of a family of processes, and the programs that they start, as far as looking from time to time shows
// them.
#pragma once

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <map>
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
  // What a process runs: a fork has it in common with its parent, and an exec changes it.
  struct Program {
    uint64_t device = 0, inode = 0;            // of the executable
    uint64_t start_code = 0, start_stack = 0;  // which the kernel places at random
    uint64_t arguments = 0;
    bool operator==(const Program&) const = default;
    explicit operator bool() const { return start_stack != 0; }
  };
  // Empty: not known, or it has ended.
  static Program program_of(pid_t pid);
  void find_children(std::vector<FamilyEvent>& events);

  std::map<pid_t, Program> programs_;  // by member
};

}  // namespace pycroscope

// Who may attach to what. Root may attach to everything; others to what they own fully: nothing that a process may do
// or read becomes visible to somebody who could not do or read it himself.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "analysis/model/result.h"
#include "daemon/session/caller.h"
#include "daemon/target/process.h"

namespace pycroscope {

// What the decision depends on, as the kernel says it.
struct TargetFacts {
  pid_t pid = 0;
  ProcessIds ids{};
  uint64_t user_namespace = 0;  // inode of /proc/PID/ns/user
  uint64_t capabilities = 0;    // permitted or effective
  bool dumpable = false;
};

Result<TargetFacts> target_facts(const Process& process);

// kNotPermitted, with a sentence that says which rule is broken.
Status may_attach(const Caller& caller, const TargetFacts& target);

// Both of the above. kTargetGone when the process has ended.
Status check_attach(const Caller& caller, const Process& process);

// What the process has permitted or effective.
Result<uint64_t> capabilities_of(pid_t pid);

}  // namespace pycroscope

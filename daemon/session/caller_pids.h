// Pids as a caller in another pid namespace knows them, and as this process does.
#pragma once

#include <sys/types.h>

#include <optional>

#include "analysis/model/result.h"
#include "daemon/session/caller.h"

namespace pycroscope {

// What we call the process that `caller` calls `pid`. kTargetGone: there is none.
Result<pid_t> pid_from_caller(const Caller& caller, pid_t pid);

// The other way round; nothing when the caller cannot see it.
std::optional<pid_t> pid_for_caller(const Caller& caller, pid_t pid);

}  // namespace pycroscope

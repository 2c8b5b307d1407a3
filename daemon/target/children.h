// The processes below a process.
#pragma once

#include <sys/types.h>

#include <vector>

namespace pycroscope {

// Those of all threads of the process.
std::vector<pid_t> children(pid_t pid);

// Children, their children, and so on, parents before children; those that start or end meanwhile may be missing.
std::vector<pid_t> descendants(pid_t pid);

}  // namespace pycroscope

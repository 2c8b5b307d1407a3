// The namespaces of processes, and the ids that processes and threads have in them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "analysis/model/result.h"

namespace pycroscope {

// The inode of /proc/`process`/ns/`kind`; `process` is a pid or "self", `kind` as "user" or "pid".
Result<uint64_t> namespace_inode(std::string_view process, std::string_view kind);

// The ids of a process or thread, which we call `id`, in each pid namespace from ours down to its own; empty when it
// has ended.
std::vector<uint64_t> ids_in_namespaces(pid_t id);

}  // namespace pycroscope

// What works here and how to mend what does not: the checks behind `pycroscoped doctor`.
#pragma once

#include <sys/types.h>

#include <filesystem>

#include "daemon/session/caller.h"
#include "pycroscope/v1/service.pb.h"

namespace pycroscope {

// The machine and this process's rights on it.
void check_machine(v1::DiagnoseResponse& response);
// Whether sessions can be stored in `directory`.
void check_store(const std::filesystem::path& directory, v1::DiagnoseResponse& response);
// Whether the caller can attach to `pid`. Stops at the first check that fails.
void check_target(const Caller& caller, pid_t pid, v1::DiagnoseResponse& response);

}  // namespace pycroscope

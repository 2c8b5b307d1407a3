// The Python processes of this machine, as a caller sees them.
#pragma once

#include <sys/types.h>

#include <string>
#include <unordered_map>

#include "analysis/model/result.h"
#include "daemon/session/caller.h"
#include "pycroscope/v1/service.pb.h"

namespace pycroscope {

// `recordings`: session ids by pid.
Result<v1::ListProcessesResponse> python_processes(const Caller& caller,
                                                   const std::unordered_map<pid_t, std::string>& recordings);

}  // namespace pycroscope

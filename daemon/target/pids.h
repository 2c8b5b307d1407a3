// The processes of this machine.
#pragma once

#include <sys/types.h>

#include <vector>

#include "analysis/model/result.h"

namespace pycroscope {

// In ascending order. Fails when /proc cannot be read.
Result<std::vector<pid_t>> list_pids();

}  // namespace pycroscope

// A PYC_RECORD_TASK made by reads from outside, as bpf/lib/tasks.h makes it in the kernel.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <vector>

#include "bpf/include/records.h"
#include "daemon/python/interpreter.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

// That of the task which the thread whose state is at `tstate` executes; empty: it executes none, or none that can be
// read.
std::vector<std::byte> capture_task(const TargetMemory& memory, const PythonRuntime& python, pid_t tgid,
                                    RemoteAddress tstate);

}  // namespace pycroscope

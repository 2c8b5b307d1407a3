// Where the asyncio of a process keeps which tasks execute.
#pragma once

#include <optional>

#include "bpf/include/python_layout.h"
#include "daemon/python/interpreter.h"
#include "daemon/target/modules.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

// Of the main interpreter. Nothing as long as it is not known, which time may change: asyncio is not imported; up to
// 3.12: no loop has run in a thread that still lives. The target may run meanwhile. Costs a look at all of sys.modules.
std::optional<pyc_tasks> find_tasks(const TargetModules& modules, const TargetMemory& memory,
                                    const PythonRuntime& python);

}  // namespace pycroscope

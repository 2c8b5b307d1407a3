// Offsets of what is read of asyncio's objects.
#pragma once

#include <cstdint>

#include "analysis/model/result.h"
#include "daemon/python/interpreter.h"
#include "daemon/target/modules.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

struct AsyncioOffsets {
  uint32_t thread_tasks = 0;  // of the thread state, see pyc_tasks
  uint32_t task_name = 0;     // of a task
};

// Those of the layout, or where it has none those that the target's _asyncio module tells: they are checked to be
// inside structures of plausible size. Fails when it does not tell them (yet).
Result<AsyncioOffsets> asyncio_offsets(const TargetModules& modules, const TargetMemory& memory,
                                       const PythonRuntime& python);

}  // namespace pycroscope

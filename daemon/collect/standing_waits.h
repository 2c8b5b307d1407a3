// Threads that wait already when a recording begins: the kernel side sees a wait from its beginning only.
#pragma once

#include <functional>

#include "bpf/include/records.h"
#include "daemon/collect/stack_source.h"
#include "daemon/python/interpreter.h"
#include "daemon/target/process.h"

namespace pycroscope {

// Calls `found` for each thread that waits, with its stack, wait_begin_ns = now; `visit` gets the code objects, before
// the first wait with them. Threads whose stacks cannot be read are left out.
void read_standing_waits(const Process& process, const PythonRuntime& python, const RecordVisitor& visit,
                         const std::function<void(const pyc_wait&)>& found);

}  // namespace pycroscope

// Where the functions are that the probe calls in a target.
#pragma once

#include <vector>

#include "analysis/model/result.h"
#include "daemon/probe/probe.h"
#include "daemon/python/interpreter.h"
#include "daemon/target/maps.h"
#include "daemon/target/process.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

struct TargetFunctions {
  pyc_probe_api api{};             // addresses in the target
  RemoteAddress add_pending_call;  // Py_AddPendingCall
  RemoteAddress system_call;       // a `syscall` instruction
  bool opcode_targets_writable = false;
  std::vector<MapEntry> c_library;  // what is mapped of the C library and of the dynamic linker
};

// kFailed when the target does not export one that has to be there; kTargetGone, kNotPermitted.
Result<TargetFunctions> find_target_functions(const Process& process, const TargetMemory& memory,
                                              const PythonRuntime& python);

}  // namespace pycroscope

// What an interpreter of 3.13 or later says about its own layout: _Py_DebugOffsets, the first field of _PyRuntime.
#pragma once

#include <cstdint>

#include "analysis/model/result.h"
#include "bpf/include/python_layout.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

// Overwrites in `layout` what the debug offsets at `runtime` tell. They are the target's word, so each is checked to be
// aligned and inside a structure of plausible size. Fails with kFailed when they make no sense, are for another
// version than `version_hex`, or come from a free-threaded build.
Status apply_debug_offsets(const TargetMemory& memory, RemoteAddress runtime, uint32_t version_hex, pyc_layout& layout);

}  // namespace pycroscope

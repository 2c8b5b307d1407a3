// What an interpreter of 3.13 or later says about its own layout: _Py_DebugOffsets, the first field of _PyRuntime.
#pragma once

#include <cstdint>

#include "analysis/model/result.h"
#include "bpf/include/python_layout.h"
#include "daemon/python/layouts.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

// Whether the interpreter whose _PyRuntime is at `runtime` is a build without a GIL. Fails with kFailed when there are
// no debug offsets, or when they are those of another version than `version_hex`.
Result<bool> read_free_threaded(const TargetMemory& memory, RemoteAddress runtime, uint32_t version_hex);

// Overwrites in `layout`, a row's, what the debug offsets at `runtime` tell if they have that `shape`. They are the
// target's word, so each is checked to be aligned and inside a structure of plausible size. Fails with kFailed when
// they make no sense; `layout` is of no use then.
Status apply_debug_offsets(const TargetMemory& memory, RemoteAddress runtime, DebugOffsetsShape shape,
                           pyc_layout& layout);

}  // namespace pycroscope

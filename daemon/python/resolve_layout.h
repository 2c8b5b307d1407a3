// From the table to the layout of the interpreter at hand.
#pragma once

#include <cstdint>

#include "analysis/model/result.h"
#include "bpf/include/python_layout.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

// The layout of the interpreter whose _PyRuntime is at `runtime` and whose version is `version_hex`. Rows of 3.13
// and later are completed from the target's own debug offsets, each of them checked against the sizes that come with
// it. A version that caution_about() is about is tried as the latest one that its debug offsets fit. Fails with kFailed
// and a sentence (unsupported version, debug offsets that make no sense), or with a failed read's error.
Result<pyc_layout> resolve_layout(const TargetMemory& memory, RemoteAddress runtime, uint32_t version_hex);

}  // namespace pycroscope

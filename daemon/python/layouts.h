// The table of CPython's layouts. Everything else reads the resolved pyc_layout and switches on its kinds, never on a
// version. A new CPython is one row here.
#pragma once

#include <cstdint>
#include <string>

#include "analysis/model/result.h"
#include "bpf/include/python_layout.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

// What the table covers, for sentences: "3.11 to 3.13".
std::string supported_versions();

// The sentence about a Python that the table does not cover; `version` as people write it.
std::string unsupported_version(const std::string& version);

// PY_VERSION_HEX as people write it: "3.13.0", "3.14.0b2".
std::string version_text(uint32_t version_hex);

// True when `version_hex` is the version of a CPython that exists or may come: used to tell a version from garbage.
bool plausible_version(uint32_t version_hex);

// The layout of the interpreter whose _PyRuntime is at `runtime` and whose Py_Version is `version_hex`. Rows of 3.13
// and later are completed from the target's own debug offsets, each of them checked against the sizes that come with
// it. Fails with kFailed and a sentence (unsupported version or build, debug offsets that make no sense), or with a
// failed read's error.
Result<pyc_layout> resolve_layout(const TargetMemory& memory, RemoteAddress runtime, uint32_t version_hex);

}  // namespace pycroscope

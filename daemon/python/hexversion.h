// The version of interpreters that do not export it as Py_Version: those before 3.11.
#pragma once

#include <cstdint>
#include <optional>

#include "daemon/target/target_memory.h"

namespace pycroscope {

// sys.hexversion of the interpreter whose _PyRuntime is at `runtime`, looked for with each row of the table that may be
// its own and believed when it is that row's version. Nothing while the interpreter starts, and when no row fits.
std::optional<uint32_t> read_hexversion(const TargetMemory& memory, RemoteAddress runtime);

}  // namespace pycroscope

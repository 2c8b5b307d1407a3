// What tells one build of a program or library from another.
#pragma once

#include <string>

#include "daemon/target/target_memory.h"

namespace pycroscope {

// The GNU build id, as bytes, of the ELF module whose file begins at `header`, be it mapped there or as it is on disk.
// Empty: it has none in its first segment, or that part cannot be read.
std::string read_build_id(const TargetMemory& memory, RemoteAddress header);

}  // namespace pycroscope

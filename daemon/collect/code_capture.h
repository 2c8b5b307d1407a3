// A PYC_RECORD_CODE made by reads from outside, as bpf/lib/code.h makes it in the kernel.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <vector>

#include "bpf/include/records.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

// Nothing: the code object at `code` is not, or not any more, the one with this identity.
std::optional<std::vector<std::byte>> capture_code(const TargetMemory& memory, const pyc_layout& layout, pid_t tgid,
                                                   RemoteAddress code, uint64_t identity);

}  // namespace pycroscope

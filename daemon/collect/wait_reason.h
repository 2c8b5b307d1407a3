// Why a thread was off the CPU.
#pragma once

#include <string_view>

#include "bpf/include/records.h"

namespace pycroscope {

// "gil", "sleep", "lock", "socket", "poll", "file", "child", "signal", "cpu" (ready to run), "page" (of memory),
// "other".
std::string_view wait_reason(const pyc_sample& wait);

}  // namespace pycroscope

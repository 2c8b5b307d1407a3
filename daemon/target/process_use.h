// What a process uses of the machine.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace pycroscope {

// CPU time of all threads of a process so far, those that have ended included; 0: not known.
uint64_t process_cpu_ns(pid_t pid);

// The resident set; 0: not known.
uint64_t resident_bytes(pid_t pid);

}  // namespace pycroscope

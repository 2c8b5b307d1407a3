// The clock that all of a session's times are of.
#pragma once

#include <chrono>
#include <cstdint>

namespace pycroscope {

// CLOCK_MONOTONIC, nanoseconds: what libstdc++'s steady clock is, and bpf_ktime_get_ns().
inline int64_t monotonic_ns() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace pycroscope

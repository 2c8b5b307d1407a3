// The clock that all of a session's times are of, and that of the recorder's own effort.
#pragma once

#include <time.h>

#include <chrono>
#include <cstdint>

namespace pycroscope {

// CLOCK_MONOTONIC, nanoseconds: what libstdc++'s steady clock is, and bpf_ktime_get_ns().
inline int64_t monotonic_ns() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// CPU time of the calling thread.
inline int64_t thread_cpu_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

}  // namespace pycroscope

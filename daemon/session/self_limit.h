// The profiler limits itself: what it uses is compared with what it may use, and its rate lowered in time.
#pragma once

#include <cstdint>

#include "pycroscope/v1/session.pb.h"

namespace pycroscope {

inline constexpr double kDefaultMaxCpuPercent = 5;
inline constexpr uint64_t kDefaultMaxMemoryBytes = 200'000'000;

// What the recorder has used so far.
struct SelfUse {
  int64_t time_ns;
  int64_t cpu_ns;  // for what a lower rate makes less
  uint64_t memory_bytes;
};

// One owner thread.
class SelfLimit {
 public:
  // `config` is complete and valid. `begin`: as the recording begins.
  SelfLimit(const v1::RecordingConfig& config, const SelfUse& begin);

  // To be called about once a second. Of how many ticks one is to be recorded from now on. `allowance`: what others
  // leave of a core, in percent; it holds where it is less than the configured limit.
  uint32_t stride(const SelfUse& now, double allowance);
  // Whether even the lowest rate takes more memory than allowed.
  bool exhausted() const { return exhausted_; }

 private:
  void lower(int64_t time_ns);

  const double max_cpu_;  // of one core, 1 is all of it
  const uint64_t max_memory_bytes_;
  const uint32_t max_stride_;
  SelfUse last_;
  uint32_t stride_ = 1;
  int64_t lowered_ns_;
  bool exhausted_ = false;
};

}  // namespace pycroscope

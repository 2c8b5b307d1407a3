#include "daemon/session/self_limit.h"

#include <algorithm>

namespace pycroscope {
namespace {

constexpr double kLowestRate = 1;
// Of the limit: below that for a while the rate is raised again. Half the stride may take twice as much.
constexpr double kComfortable = 0.4;
constexpr int64_t kPatienceNs = 10'000'000'000;
// What has been freed goes back to the system slowly.
constexpr int64_t kMemoryPatienceNs = 3'000'000'000;

}  // namespace

SelfLimit::SelfLimit(const v1::RecordingConfig& config, const SelfUse& begin)
    : max_cpu_(config.max_cpu_percent() / 100),
      max_memory_bytes_(config.max_memory_bytes()),
      max_stride_(static_cast<uint32_t>(std::max(1.0, config.rate_hz() / kLowestRate))),
      last_(begin),
      lowered_ns_(begin.time_ns) {}

void SelfLimit::lower(int64_t time_ns) {
  stride_ = std::min(stride_ * 2, max_stride_);
  lowered_ns_ = time_ns;
}

uint32_t SelfLimit::stride(const SelfUse& now, double allowance) {
  const auto elapsed_ns = static_cast<double>(std::max<int64_t>(1, now.time_ns - last_.time_ns));
  const double cpu = static_cast<double>(now.cpu_ns - last_.cpu_ns) / elapsed_ns;
  const double max_cpu = std::min(max_cpu_, allowance / 100);
  last_ = now;
  const int64_t calm_ns = now.time_ns - lowered_ns_;
  if (now.memory_bytes > max_memory_bytes_) {
    if (calm_ns < kMemoryPatienceNs && stride_ > 1) return stride_;
    exhausted_ = stride_ == max_stride_;
    lower(now.time_ns);
  } else if (cpu > max_cpu) {
    lower(now.time_ns);
  } else if (cpu < kComfortable * max_cpu && calm_ns > kPatienceNs && stride_ > 1) {
    stride_ /= 2;
    lowered_ns_ = now.time_ns;
  }
  return stride_;
}

}  // namespace pycroscope

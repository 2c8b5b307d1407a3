#include "daemon/collect/read_thread.h"

#include <utility>

namespace pycroscope {
namespace {

// The kernel brings the CPU time of a thread that runs up to date at its own ticks, 100 to 1000 a second.
constexpr double kLagNs = 10'000'000;

}  // namespace

ReadThread::Activity ReadThread::look(uint64_t period_ns) {
  const auto times = files_.times();
  if (!times) return Activity::kEnded;
  if (waited_ && *times == times_) return Activity::kStillWaits;
  const auto period = static_cast<double>(period_ns);
  if (!std::exchange(is_new_, false)) credit_ += static_cast<double>(times->on_cpu_ns - times_.on_cpu_ns) / period;
  times_ = *times;
  const auto state = files_.state();
  if (!state) return Activity::kEnded;
  state_ = *state;
  waited_ = !state_.runs;
  if (waited_) return Activity::kWaits;
  return credit_ > -1 - kLagNs / period ? Activity::kRuns : Activity::kReady;
}

bool ReadThread::was_active() {
  const auto times = files_.times();
  return !times || std::exchange(scanned_, *times) != *times;
}

}  // namespace pycroscope

#include "daemon/session/recording_config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "daemon/collect/collector.h"
#include "daemon/inject/probe.h"
#include "daemon/session/choose_source.h"
#include "daemon/session/self_limit.h"

namespace pycroscope {
namespace {

using google::protobuf::util::TimeUtil;

}  // namespace

std::chrono::nanoseconds duration_of(const v1::RecordingConfig& config) {
  return std::chrono::nanoseconds(config.has_duration() ? TimeUtil::DurationToNanoseconds(config.duration()) : 0);
}

Status check_duration(const google::protobuf::Duration& duration, std::string_view what) {
  constexpr int64_t kLongest = 9'000'000'000;  // seconds whose nanoseconds still fit in 63 bits
  constexpr int32_t kSecond = 1'000'000'000;
  const bool fits = duration.seconds() >= -kLongest && duration.seconds() <= kLongest && duration.nanos() > -kSecond &&
                    duration.nanos() < kSecond;
  if (fits) return {};
  return fail(ErrorCode::kInvalid, fmt::format("the {} is no time that can be counted: give a shorter one", what));
}

namespace {

// "all" becomes what that is.
Status resolve_trace(v1::RecordingConfig& config) {
  std::vector<std::string_view> resolved;
  for (const std::string& what : config.trace()) {
    const bool is_known = what == "all" || std::ranges::find(kTraceNames, what) != std::end(kTraceNames);
    if (!is_known)
      return fail(ErrorCode::kInvalid,
                  fmt::format("cannot trace \"{}\": choose {} or all", what, fmt::join(kTraceNames, ", ")));
  }
  const auto is_asked = [&](std::string_view name) {
    return std::ranges::any_of(config.trace(), [&](const std::string& what) { return what == "all" || what == name; });
  };
  std::ranges::copy_if(kTraceNames, std::back_inserter(resolved), is_asked);
  config.mutable_trace()->Assign(resolved.begin(), resolved.end());
  if (config.trace().empty()) {
    if (config.on_full() == v1::ON_FULL_UNSPECIFIED && config.include().empty() && config.exclude().empty() &&
        config.max_hits() == 0)
      return {};
    return fail(ErrorCode::kInvalid, "what files are included and what happens when a ring is full is for a trace");
  }
  size_t bytes = 0;
  for (const auto* globs : {&config.include(), &config.exclude()})
    for (const std::string& glob : *globs) bytes += glob.size() + 2;
  if (bytes > ProbePlan::kMaxGlobBytes)
    return fail(ErrorCode::kInvalid, "too many files to include or exclude: use fewer or shorter globs");
  if (config.on_full() == v1::ON_FULL_UNSPECIFIED) config.set_on_full(v1::ON_FULL_DROP);
  if (config.mode() != v1::SAMPLE_MODE_UNSPECIFIED || !config.sampler().empty())
    return fail(ErrorCode::kInvalid, "what is traced is not sampled as well: leave out the mode and the sampler");
  return {};
}

}  // namespace

Result<v1::RecordingConfig> resolve_config(const v1::RecordingConfig& asked) {
  PYC_CHECK(check_duration(asked.duration(), "duration"));
  PYC_CHECK(check_duration(asked.ring(), "ring"));
  PYC_CHECK(check_duration(asked.keep_raw(), "time that raw events are kept"));
  v1::RecordingConfig config = asked;
  PYC_CHECK(resolve_trace(config));
  if (config.mode() == v1::SAMPLE_MODE_UNSPECIFIED && config.trace().empty()) config.set_mode(v1::SAMPLE_MODE_CPU);
  if (config.rate_hz() == 0) config.set_rate_hz(kDefaultRate);
  if (config.max_cpu_percent() == 0) config.set_max_cpu_percent(kDefaultMaxCpuPercent);
  if (config.max_memory_bytes() == 0) config.set_max_memory_bytes(kDefaultMaxMemoryBytes);
  // Written so that NaN fails as well.
  if (!(config.rate_hz() >= kMinRate && config.rate_hz() <= kMaxRate)) {
    return fail(ErrorCode::kInvalid,
                fmt::format("a rate of {} Hz is not possible: choose from {} to {} samples a second", config.rate_hz(),
                            kMinRate, kMaxRate));
  }
  if (!(config.max_cpu_percent() > 0)) {
    return fail(ErrorCode::kInvalid, "the CPU that Pycroscope may use has to be more than 0 % of a core");
  }
  if (config.has_duration() && duration_of(config) <= std::chrono::nanoseconds::zero()) {
    return fail(ErrorCode::kInvalid, "the duration must be greater than zero: leave it out to record until stopped");
  }
  const auto is_short = [](const google::protobuf::Duration& kept) {
    return TimeUtil::DurationToNanoseconds(kept) < std::chrono::nanoseconds(kMinKept).count();
  };
  if (config.has_ring() && is_short(config.ring()))
    return fail(ErrorCode::kInvalid, "a ring holds one second at least: give --ring 5m for the last five minutes");
  if (config.has_keep_raw() && is_short(config.keep_raw()))
    return fail(ErrorCode::kInvalid,
                "raw events are kept for one second at least: give --keep-raw 10m for ten minutes");
  if (config.max_bytes() != 0 && config.max_bytes() < kMinMaxBytes)
    return fail(ErrorCode::kInvalid, "a session needs 1 MB at least: give --max-size 100MB or more for a useful one");
  if (config.max_events() != 0 && config.max_events() < kMinMaxEvents)
    return fail(ErrorCode::kInvalid,
                fmt::format("a session keeps {} events at least: give --max-events that or more", kMinMaxEvents));
  if (!config.sampler().empty() && config.sampler() != kEbpfSampler && config.sampler() != kReadSampler) {
    return fail(ErrorCode::kInvalid, fmt::format("there is no sampler \"{}\": leave it out or choose {} or {}",
                                                 config.sampler(), kEbpfSampler, kReadSampler));
  }
  return config;
}

}  // namespace pycroscope

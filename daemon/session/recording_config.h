// What may be asked of a recording.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "analysis/model/result.h"
#include "pycroscope/v1/session.pb.h"

namespace pycroscope {

inline constexpr double kDefaultRate = 100;
inline constexpr double kMinRate = 1;
inline constexpr double kMaxRate = 10'000;
inline constexpr std::chrono::seconds kMinKept{1};  // of a ring, and of raw events
inline constexpr uint64_t kMinMaxBytes = 1'000'000;
inline constexpr uint64_t kMinMaxEvents = 1000;

// `asked` with the defaults filled in (mode cpu, 100 Hz). kInvalid with a sentence that says what is
// possible.
Result<v1::RecordingConfig> resolve_config(const v1::RecordingConfig& asked);

// kInvalid for one that no clock can count: `what` names it in the sentence.
Status check_duration(const google::protobuf::Duration& duration, std::string_view what);

// Nanoseconds, 0 when the recording has no end of its own.
std::chrono::nanoseconds duration_of(const v1::RecordingConfig& config);

}  // namespace pycroscope

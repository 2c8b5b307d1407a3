// What the figures of an export are: counts of samples or nanoseconds.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "analysis/export/export.h"
#include "analysis/model/result.h"
#include "analysis/passes/context.h"
#include "analysis/passes/stack_weights.h"

namespace pycroscope {

inline constexpr std::string_view kSamplesWeight = "samples", kTimeWeight = "time", kCpuTimeWeight = "cpu-time";
inline constexpr std::array kExportWeights = {kSamplesWeight, kTimeWeight, kCpuTimeWeight};

struct ExportWeight {
  std::string_view name;               // as on the command line
  bool time = false;                   // nanoseconds, else samples
  int64_t Weight::* ns = &Weight::ns;  // where it is time: which
  uint64_t of(const Weight& w) const { return time ? static_cast<uint64_t>(w.*ns) : w.samples; }
};

// The weight asked for; where none was, `fallback`: "samples", or "" for the time that the session knows. kInvalid,
// naming those there are, for one that the session does not know.
Result<ExportWeight> export_weight(const PassContext& context, std::string_view wanted, std::string_view fallback);

// For people: "3 samples", "1.20 s".
std::string amount_text(uint64_t value, const ExportWeight& weight);

// What a session is of: the target's command line, else the session's name or id.
std::string session_title(const v1::Session& session);

// The view request with an export's filter and grouping, for a PassContext.
v1::ViewRequest view_request(const v1::ExportRequest& request);

}  // namespace pycroscope

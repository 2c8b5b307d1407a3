// What a sample says of its thread beside the stack, as labels: `wait` = why it is off the CPU (absent: it runs), `gil`
// = "held" where it holds the GIL.
#pragma once

#include <optional>
#include <string_view>
#include <unordered_map>

#include "analysis/model/symbols.h"
#include "bpf/include/records.h"

namespace pycroscope {

// "gil", "sleep", "lock", "socket", "poll", "file", "child", "signal", "cpu" (ready to run), "page" (of memory),
// "other".
std::string_view wait_reason(const pyc_sample& wait);

// One owner thread.
class WaitLabels {
 public:
  LabelSetId of(const pyc_sample& sample, Symbols& symbols);

 private:
  std::unordered_map<std::string_view, LabelSetId> known_[2];  // by reason; whether the GIL is held
};

}  // namespace pycroscope

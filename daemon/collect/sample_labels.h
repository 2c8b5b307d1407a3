// What a sample says of its thread beside the stack, as labels: `wait` = why it is off the CPU (absent: it runs), `gil`
// = "held" where it holds the GIL, `task` = the name of the asyncio task that it executes (absent: none).
#pragma once

#include <map>
#include <optional>
#include <string_view>
#include <tuple>

#include "analysis/model/symbols.h"
#include "bpf/include/records.h"

namespace pycroscope {

// One owner thread.
class SampleLabels {
 public:
  LabelSetId of(const pyc_sample& sample, std::optional<StringId> task, Symbols& symbols);

 private:
  // Whether the GIL is held, the task, the reason of the wait; "" for none.
  using Key = std::tuple<bool, std::optional<StringId>, std::string_view>;
  std::map<Key, LabelSetId> known_;
};

}  // namespace pycroscope

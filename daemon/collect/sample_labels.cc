#include "daemon/collect/sample_labels.h"

#include <vector>

#include "analysis/model/labels.h"
#include "daemon/collect/wait_reason.h"

namespace pycroscope {

LabelSetId SampleLabels::of(const pyc_sample& sample, std::optional<StringId> task, Symbols& symbols) {
  const bool holds_gil = (sample.flags & PYC_SAMPLE_HOLDS_GIL) != 0;
  const bool waits = (sample.flags & PYC_SAMPLE_WAITED) != 0;
  const std::string_view reason = waits ? wait_reason(sample) : std::string_view();
  const auto [known, is_new] = known_.try_emplace(Key{holds_gil, task, reason});
  if (!is_new) return known->second;
  std::vector<Label> labels;  // by key
  if (holds_gil) labels.push_back({symbols.intern_string(kGilLabel), symbols.intern_string(kGilHeld)});
  if (task) labels.push_back({symbols.intern_string(kTaskLabel), *task});
  if (waits) labels.push_back({symbols.intern_string(kWaitLabel), symbols.intern_string(reason)});
  return known->second = symbols.intern_labels(labels);
}

}  // namespace pycroscope

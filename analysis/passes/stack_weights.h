// Samples reduced to what distinct (stack, thread, label set) triples stand for: one scan of a session, after which
// everything costs as much as there are distinct stacks.
#pragma once

#include <cstdint>
#include <vector>

#include "analysis/model/events.h"
#include "analysis/model/result.h"
#include "pycroscope/v1/views.pb.h"

namespace pycroscope {

struct Weight {
  uint64_t samples = 0;
  int64_t ns = 0;  // CPU time or elapsed time, as the session's mode says

  Weight& operator+=(const Weight& other) {
    samples += other.samples;
    ns += other.ns;
    return *this;
  }
  Weight& operator-=(const Weight& other) {
    samples -= other.samples;
    ns -= other.ns;
    return *this;
  }
  bool operator==(const Weight&) const = default;
};

struct StackWeight {
  StackId stack{};
  ThreadId thread{};
  LabelSetId labels{};
  Weight weight;
};

// The filter's time range; kInvalid when it ends before it begins.
Result<EventFilter> time_range(const v1::ViewFilter& filter);

// Which samples the filter's threads and labels let through.
class SampleFilter {
 public:
  SampleFilter(const Symbols& symbols, const v1::ViewFilter& filter);
  bool operator()(const SampleColumns& batch, size_t i) const {
    return threads_[batch.thread[i]] && label_sets_[batch.label_set[i]];
  }

 private:
  std::vector<uint8_t> threads_, label_sets_;  // by id
};

// The weights of the samples in the filter's range, threads and labels, in the order of their first appearance.
Result<std::vector<StackWeight>> count_stacks(const EventReader& reader, const v1::ViewFilter& filter);

}  // namespace pycroscope

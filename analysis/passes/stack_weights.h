// Samples and trace events reduced to what distinct (stack, thread, label set) triples stand for: one scan of a
// session, after which everything costs as much as there are distinct stacks.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "analysis/model/events.h"
#include "analysis/model/result.h"
#include "pycroscope/v1/views.pb.h"

namespace pycroscope {

struct Weight {
  uint64_t samples = 0;
  int64_t ns = 0;      // elapsed time, or CPU time where that is all that the session's mode tells
  int64_t cpu_ns = 0;  // the part of it on a CPU
  // Of traces: entries of the function, line events, executed instructions.
  uint64_t calls = 0, hits = 0, instructions = 0, allocations = 0, alloc_bytes = 0;

  Weight& operator+=(const Weight& other) {
    samples += other.samples;
    ns += other.ns;
    cpu_ns += other.cpu_ns;
    calls += other.calls;
    hits += other.hits;
    instructions += other.instructions;
    allocations += other.allocations;
    alloc_bytes += other.alloc_bytes;
    return *this;
  }
  Weight& operator-=(const Weight& other) {
    samples -= other.samples;
    ns -= other.ns;
    cpu_ns -= other.cpu_ns;
    calls -= other.calls;
    hits -= other.hits;
    instructions -= other.instructions;
    allocations -= other.allocations;
    alloc_bytes -= other.alloc_bytes;
    return *this;
  }
  bool operator==(const Weight&) const = default;
};

struct StackWeight {
  StackId stack{};
  ThreadId thread{};
  LabelSetId labels{};
  Weight weight;
  uint32_t group = 0;  // of the context's grouping
};

// The filter's time range; kInvalid when it ends before it begins.
Result<EventFilter> time_range(const v1::ViewFilter& filter);

// Which samples and events the filter's threads and labels let through.
class SampleFilter {
 public:
  SampleFilter(const Symbols& symbols, const v1::ViewFilter& filter);
  bool operator()(ThreadId thread, LabelSetId labels) const {
    return threads_[index(thread)] && label_sets_[index(labels)];
  }
  bool operator()(const SampleColumns& batch, size_t i) const {
    return threads_[batch.thread[i]] && label_sets_[batch.label_set[i]];
  }

 private:
  std::vector<uint8_t> threads_, label_sets_;  // by id
};

// What one sample weighs.
class SampleWeights {
 public:
  explicit SampleWeights(const Symbols& symbols);
  Weight operator()(const SampleColumns& batch, size_t i) const {
    const int64_t ns = batch.weight_ns[i];
    return {1, ns, on_cpu_[batch.label_set[i]] ? ns : 0};
  }

 private:
  std::vector<uint8_t> on_cpu_;  // by label set
};

// The value that a label set has for `key`, empty when it has none.
std::string_view label_value(const Symbols& symbols, LabelSetId labels, std::string_view key);

// The weights of the samples in the filter's range, threads and labels, in the order of their first appearance, and
// what `trace` has of such threads and labels; null: there is none. What both know is measured by the trace.
Result<std::vector<StackWeight>> count_stacks(const EventReader& reader, const v1::ViewFilter& filter,
                                              const Tally* trace);

}  // namespace pycroscope

#include "analysis/passes/stack_weights.h"

#include <algorithm>
#include <string>

#include "analysis/model/dense_index.h"
#include "analysis/model/labels.h"
#include "analysis/passes/grouping.h"

namespace pycroscope {
namespace {

bool is_named(const Symbols& symbols, const Thread& thread, const std::string& wanted) {
  return wanted == std::to_string(thread.tid) || wanted == symbols.string(thread.name);
}

bool thread_wanted(const Symbols& symbols, const Thread& thread, const v1::ViewFilter& filter) {
  auto named = [&](const std::string& wanted) { return is_named(symbols, thread, wanted); };
  const std::string pid = std::to_string(symbols.process(thread.process).pid);
  return (filter.threads().empty() || std::ranges::any_of(filter.threads(), named)) &&
         std::ranges::all_of(filter.labels(), [&](const auto& wanted) {
           if (wanted.first == kByProcess) return wanted.second == pid;
           return wanted.first != kByThread || named(wanted.second);
         });
}

bool labels_wanted(const Symbols& symbols, LabelSetId labels, const v1::ViewFilter& filter) {
  return std::ranges::all_of(filter.labels(), [&](const auto& wanted) {
    if (wanted.first == kByProcess || wanted.first == kByThread) return true;
    const Label* label = find_label(symbols, labels, wanted.first);
    return label && symbols.string(label->value) == wanted.second;
  });
}

class Counter {
 public:
  Counter(const Symbols& symbols, const v1::ViewFilter& filter, const Tally* trace)
      : wanted_(symbols, filter), weight_of_(symbols), measures_time_(trace && trace->stacks().size() > 0) {
    if (trace) add(*trace);
  }

  void add(const SampleColumns& batch) {
    for (size_t i = 0; i < batch.size(); ++i) {
      if (!wanted_(batch, i)) continue;
      Weight weight = weight_of_(batch, i);
      if (measures_time_) weight.ns = 0;
      at({batch.stack[i], batch.thread[i], batch.label_set[i]}) += weight;
    }
  }

  std::vector<StackWeight> take() const {
    std::vector<StackWeight> result;
    result.reserve(weights_.size());
    for (uint32_t i = 0; i < index_.size(); ++i) {
      const DenseIndex::Key& key = index_.keys()[i];
      result.push_back({StackId{key[0]}, ThreadId{key[1]}, LabelSetId{key[2]}, weights_[i]});
    }
    return result;
  }

 private:
  Weight& at(const DenseIndex::Key& key) {
    const uint32_t id = index_(key);
    if (id == weights_.size()) weights_.emplace_back();
    return weights_[id];
  }

  void add(const Tally& trace) {
    for (uint32_t row = 0; row < trace.stacks().size(); ++row) {
      const DenseIndex::Key& key = trace.stacks().key(row);
      const TallyContext& context = trace.contexts()[key[0]];
      const StackFigures& figures = trace.stacks().at(row);
      if (!wanted_(context.thread, context.labels) || figures == StackFigures()) continue;
      Weight& weight = at({key[1], index(context.thread), index(context.labels)});
      weight.ns += figures.ns;
      weight.calls += figures.calls;
      weight.hits += figures.hits;
      weight.instructions += figures.instructions;
    }
    for (uint32_t row = 0; row < trace.allocations().size(); ++row) {
      const DenseIndex::Key& key = trace.allocations().key(row);
      const TallyContext& context = trace.contexts()[key[0]];
      const AllocationFigures& figures = trace.allocations().at(row);
      if (!wanted_(context.thread, context.labels) || figures.allocations == 0) continue;
      Weight& weight = at({key[1], index(context.thread), index(context.labels)});
      weight.allocations += figures.allocations;
      weight.alloc_bytes += figures.bytes;
    }
  }

  SampleFilter wanted_;
  SampleWeights weight_of_;
  bool measures_time_;
  DenseIndex index_;
  std::vector<Weight> weights_;
};

}  // namespace

SampleFilter::SampleFilter(const Symbols& symbols, const v1::ViewFilter& filter) {
  Symbols::Mark mark = symbols.mark();
  for (uint32_t i = 0; i < mark.threads; ++i)
    threads_.push_back(thread_wanted(symbols, symbols.thread(ThreadId{i}), filter));
  for (uint32_t i = 0; i < mark.label_sets; ++i) label_sets_.push_back(labels_wanted(symbols, LabelSetId{i}, filter));
}

SampleWeights::SampleWeights(const Symbols& symbols) {
  for (uint32_t i = 0; i < symbols.mark().label_sets; ++i)
    on_cpu_.push_back(label_value(symbols, LabelSetId{i}, kWaitLabel).empty());
}

std::string_view label_value(const Symbols& symbols, LabelSetId labels, std::string_view key) {
  const Label* label = find_label(symbols, labels, key);
  return label ? symbols.string(label->value) : std::string_view();
}

Result<EventFilter> time_range(const v1::ViewFilter& filter) {
  EventFilter range;
  range.from_ns = std::max<int64_t>(filter.from_ns(), 0);
  if (filter.to_ns() != 0) range.to_ns = filter.to_ns();
  if (range.to_ns < range.from_ns)
    return fail(ErrorCode::kInvalid, "the time range ends before it begins; give --to a later time than --from");
  return range;
}

Result<std::vector<StackWeight>> count_stacks(const EventReader& reader, const v1::ViewFilter& filter,
                                              const Tally* trace) {
  PYC_TRY(EventFilter range, time_range(filter));
  Counter counter(reader.symbols(), filter, trace);
  PYC_CHECK(reader.samples(range, [&](const SampleColumns& batch) { counter.add(batch); }));
  return counter.take();
}

}  // namespace pycroscope

#include "analysis/export/thread_runs.h"

#include <algorithm>
#include <optional>

namespace pycroscope {
namespace {

constexpr size_t kMaxRuns = 1'000'000;

class Collector {
 public:
  Collector(const PassContext& context, RunMerge merge)
      : grouping_(context.grouping()),
        wanted_(context.symbols(), context.request().filter()),
        weight_(context.symbols()),
        selected_(context.stack_selection()),
        merge_(merge) {}

  void add(const SampleColumns& batch) {
    for (size_t i = 0; i < batch.size() && count_ <= kMaxRuns; ++i)
      if (wanted_(batch, i) && selected_[batch.stack[i]]) add(batch.at(i), weight_(batch, i));
  }

  std::optional<ThreadRuns> take() { return count_ > kMaxRuns ? std::nullopt : std::optional(std::move(threads_)); }

 private:
  void add(const Sample& sample, const Weight& weight) {
    std::vector<Run>& runs = threads_[index(sample.thread)];
    uint32_t group = grouping_.of(sample.thread, sample.labels);
    bool joins = merge_ == RunMerge::kNeighbours && !runs.empty() && runs.back().stack == sample.stack &&
                 runs.back().group == group;
    if (!joins) {
      int64_t earliest = runs.empty() ? 0 : runs.back().end_ns;
      int64_t begin = std::clamp(sample.time_ns - sample.weight_ns, std::min(earliest, sample.time_ns), sample.time_ns);
      runs.push_back({begin, sample.time_ns, sample.stack, group, {}});
      ++count_;
    }
    runs.back().end_ns = sample.time_ns;
    runs.back().weight += weight;
  }

  const Grouping& grouping_;
  SampleFilter wanted_;
  SampleWeights weight_;
  std::vector<uint8_t> selected_;
  RunMerge merge_;
  size_t count_ = 0;
  ThreadRuns threads_;
};

ThreadRuns without_order(const PassContext& context) {
  ThreadRuns threads;
  for (const StackWeight& s : context.stacks_with_selected()) {
    std::vector<Run>& runs = threads[index(s.thread)];
    int64_t begin = runs.empty() ? 0 : runs.back().end_ns;
    runs.push_back({begin, begin + s.weight.ns, s.stack, s.group, s.weight});
  }
  return threads;
}

}  // namespace

Result<ThreadRuns> thread_runs(const PassContext& context, RunMerge merge) {
  PYC_TRY(EventFilter range, time_range(context.request().filter()));
  for (RunMerge attempt : {merge, RunMerge::kNeighbours}) {
    Collector collector(context, attempt);
    PYC_CHECK(context.reader().samples(range, [&](const SampleColumns& batch) { collector.add(batch); }));
    if (std::optional<ThreadRuns> runs = collector.take()) return *std::move(runs);
  }
  return without_order(context);
}

}  // namespace pycroscope

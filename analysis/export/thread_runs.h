// The samples of a session by thread in order of time, for the formats that have a time axis.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "analysis/model/result.h"
#include "analysis/passes/context.h"

namespace pycroscope {

// Samples of one stack, one after the other.
struct Run {
  int64_t begin_ns = 0, end_ns = 0;  // since the session's start; of one sample: what it stands for, up to its tick
  StackId stack{};
  uint32_t group = 0;  // of the context's grouping
  Weight weight;
};
using ThreadRuns = std::map<uint32_t, std::vector<Run>>;  // by ThreadId

enum class RunMerge {
  kNone,        // a run for each sample
  kNeighbours,  // equal stacks that follow each other are one run
};

// The samples that the context's filter lets through. When these are too many runs neighbours are merged in any case;
// when that is not enough the order of time is given up: equal stacks of a thread are one run, laid end to end.
Result<ThreadRuns> thread_runs(const PassContext& context, RunMerge merge);

}  // namespace pycroscope

// Who calls whom: what the views of callers and of callees have in common.
#pragma once

#include "analysis/model/result.h"
#include "analysis/passes/context.h"
#include "pycroscope/v1/views.pb.h"

namespace pycroscope {

// Which end of a call is a row's `function`; the other end is its `other`.
enum class EdgeEnd { kCaller, kCallee };

// A row per pair of caller and callee, its samples those with the call on the stack, each counted once. The function
// filter decides on `function`.
Status fill_edges(PassContext& context, EdgeEnd function, v1::View& view);

}  // namespace pycroscope

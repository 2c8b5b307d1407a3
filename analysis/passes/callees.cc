// The functions that each function calls.
#include "analysis/passes/edges.h"

namespace pycroscope {

Status pass_callees(PassContext& context, v1::View& view) { return fill_edges(context, EdgeEnd::kCaller, view); }

}  // namespace pycroscope

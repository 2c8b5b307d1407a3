// The functions that call each function.
#include "analysis/passes/edges.h"

namespace pycroscope {

Status pass_callers(PassContext& context, v1::View& view) { return fill_edges(context, EdgeEnd::kCallee, view); }

}  // namespace pycroscope

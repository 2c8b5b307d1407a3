// A flame graph as an SVG element: root on top, the dearest calls to the left, readable without its script. What is
// too narrow to be seen is folded, with its figures kept. flamegraph.css and flamegraph.js of this folder belong to it.
#pragma once

#include <string_view>

#include "analysis/export/pieces.h"
#include "analysis/export/weight.h"

namespace pycroscope {

// Writes the element; `first` and `last` are markup that stands within it, before and after all else.
Status write_flame_graph(const PassContext& context, const ExportWeight& weight, Pieces& out, std::string_view first,
                         std::string_view last);

}  // namespace pycroscope

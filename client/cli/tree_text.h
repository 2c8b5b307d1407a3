// A call tree drawn with lines.
#pragma once

#include <cstddef>
#include <string>

#include "pycroscope/v1/views.pb.h"

namespace pycroscope {

// Share and self share of each node, then its place in the tree; a line a node, callers above callees. Empty without
// nodes.
std::string tree_text(const v1::View& view, size_t width);

}  // namespace pycroscope

// The style and the script of the flame graph, as this folder's flamegraph.css and flamegraph.js have them.
#pragma once

#include <string_view>

namespace pycroscope {

extern const std::string_view kFlameGraphStyle;
extern const std::string_view kFlameGraphScript;

}  // namespace pycroscope

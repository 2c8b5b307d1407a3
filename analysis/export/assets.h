// The styles and scripts of the flame graph and of the HTML page, as this folder's files have them.
#pragma once

#include <string_view>

namespace pycroscope {

extern const std::string_view kFlameGraphStyle;
extern const std::string_view kFlameGraphScript;
extern const std::string_view kPageStyle;
extern const std::string_view kPageScript;

}  // namespace pycroscope

// Text within SVG and HTML.
#pragma once

#include <string>
#include <string_view>

namespace pycroscope {

// Escaped for elements and for attributes in double quotes, of XML 1.0 and HTML; what XML forbids even as a reference
// becomes U+FFFD.
std::string markup_text(std::string_view text);

constexpr double kCharWidth = 7.23;  // pixels of the flame graph's font, as flamegraph.js has it

// The first letters of `text` that fit into `width` pixels of the flame graph's font.
std::string clip_text(std::string_view text, double width);

}  // namespace pycroscope

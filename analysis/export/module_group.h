// Which part of a program a file belongs to, and the colour that stands for it.
#pragma once

#include <string>
#include <string_view>

#include "pycroscope/v1/symbols.pb.h"

namespace pycroscope {

constexpr std::string_view kThisProgram = "this program", kStandardLibrary = "standard library",
                           kNativeCode = "native code";

// One of these, or the name of an installed package: "numpy".
std::string module_group(std::string_view path, v1::FrameKind kind);

// A CSS colour on which dark text is readable: files of this program in warm colours, the standard library in blues,
// native code in greys, each package in a hue of its own.
std::string module_colour(std::string_view path, v1::FrameKind kind);

}  // namespace pycroscope

// Constants of a packed file's layout (pack.h). ON DISK: DO NOT CHANGE.
#pragma once

#include <string_view>

namespace pycroscope::pack_format {

inline constexpr std::string_view kMagic("PYCRO\x1a\n\x01", 8);
inline constexpr size_t kMagicWithoutVersion = 7;
inline constexpr char kSession = 1;
inline constexpr char kEntry = 2;
inline constexpr char kEnd = 3;

}  // namespace pycroscope::pack_format

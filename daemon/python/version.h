// Versions of CPython as numbers and as people write them.
#pragma once

#include <cstdint>
#include <string>

namespace pycroscope {

// PY_VERSION_HEX as people write it: "3.13.0", "3.14.0b2".
std::string version_text(uint32_t version_hex);

// Major and minor version, PY_VERSION_HEX without its lower half, as people write it: "3.13".
std::string minor_version_text(uint32_t minor_version);

// True when `version_hex` is the version of a CPython that exists or may come: used to tell a version from garbage.
bool plausible_version(uint32_t version_hex);

// True for final releases and release candidates: what comes before may still change its layout.
bool is_settled_version(uint32_t version_hex);

}  // namespace pycroscope

#include "daemon/python/version.h"

namespace pycroscope {
namespace {

constexpr uint32_t kReleaseCandidate = 0xc;
constexpr uint32_t kFinal = 0xf;

constexpr uint32_t major_of(uint32_t version_hex) { return version_hex >> 24; }
constexpr uint32_t minor_of(uint32_t version_hex) { return (version_hex >> 16) & 0xff; }
constexpr uint32_t level_of(uint32_t version_hex) { return (version_hex >> 4) & 0xf; }

}  // namespace

std::string minor_version_text(uint32_t minor_version) {
  return std::to_string(minor_version >> 8) + "." + std::to_string(minor_version & 0xff);
}

std::string version_text(uint32_t version_hex) {
  std::string text = minor_version_text(version_hex >> 16) + "." + std::to_string((version_hex >> 8) & 0xff);
  const uint32_t level = level_of(version_hex);
  if (level == kFinal) return text;
  text += level == 0xa ? "a" : level == 0xb ? "b" : "rc";
  return text + std::to_string(version_hex & 0xf);
}

bool plausible_version(uint32_t version_hex) {
  const uint32_t level = level_of(version_hex);
  return (major_of(version_hex) == 3 || major_of(version_hex) == 4) && minor_of(version_hex) < 100 &&
         (level == kFinal || (level >= 0xa && level <= kReleaseCandidate));
}

bool is_settled_version(uint32_t version_hex) { return level_of(version_hex) >= kReleaseCandidate; }

}  // namespace pycroscope

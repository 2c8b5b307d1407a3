#include "analysis/export/module_group.h"

#include <fmt/format.h>

#include <cstdint>

namespace pycroscope {
namespace {

// FNV-1a: the same colour for the same name in every run.
uint32_t hash(std::string_view text) {
  uint32_t h = 2166136261u;
  for (char c : text) h = (h ^ static_cast<uint8_t>(c)) * 16777619u;
  return h ^ (h >> 15);
}

std::string_view package_in(std::string_view path, std::string_view folder) {
  size_t at = path.rfind(folder);
  if (at == std::string_view::npos) return {};
  std::string_view rest = path.substr(at + folder.size());
  return rest.substr(0, rest.find_first_of("/."));
}

}  // namespace

std::string module_group(std::string_view path, v1::FrameKind kind) {
  if (kind != v1::FRAME_KIND_PYTHON) return std::string(kNativeCode);
  for (std::string_view folder : {"/site-packages/", "/dist-packages/"})
    if (std::string_view package = package_in(path, folder); !package.empty()) return std::string(package);
  if (path.starts_with("<frozen ") || path.contains("/lib/python3")) return std::string(kStandardLibrary);
  return std::string(kThisProgram);
}

std::string module_colour(std::string_view path, v1::FrameKind kind) {
  std::string group = module_group(path, kind);
  if (group == kNativeCode) return fmt::format("hsl(220,10%,{}%)", 68 + hash(path) % 10);
  if (group == kStandardLibrary) return fmt::format("hsl({},55%,{}%)", 200 + hash(path) % 18, 72 + hash(path) / 64 % 8);
  if (group == kThisProgram) return fmt::format("hsl({},88%,{}%)", 22 + hash(path) % 30, 64 + hash(path) / 64 % 8);
  // Hues between the program's and the library's, and beyond the library's.
  uint32_t hue = hash(group) % 225;
  hue = hue < 115 ? 70 + hue : 235 + hue - 115;
  return fmt::format("hsl({},50%,{}%)", hue, 70 + hash(path) % 6);
}

}  // namespace pycroscope

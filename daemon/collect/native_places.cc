#include "daemon/collect/native_places.h"

#include <algorithm>
#include <string>

namespace pycroscope {
namespace {

constexpr uint64_t kKernelHalf = uint64_t{1} << 63;
// An address that is in no map is looked up again after this; code may come and go, but not that fast.
constexpr int64_t kMapsPauseNs = 1'000'000'000;

std::string place_of(uint64_t ip, const MapEntry* map) {
  if (ip == 0) return "[unknown]";
  if (ip >= kKernelHalf) return "[kernel]";
  if (!map || map->path.empty()) return "[anonymous]";
  return map->path.substr(map->path.rfind('/') + 1);
}

}  // namespace

const MapEntry* NativePlaces::find(uint64_t ip) const {
  auto after = std::ranges::upper_bound(maps_, ip, {}, [](const MapEntry& map) { return map.begin.address(); });
  if (after == maps_.begin()) return nullptr;
  const MapEntry& map = *--after;
  return ip < map.end.address() ? &map : nullptr;
}

StackId NativePlaces::intern(uint64_t ip, int64_t now_ns, Symbols& symbols) {
  const MapEntry* map = find(ip);
  if (!map && ip != 0 && ip < kKernelHalf && (maps_.empty() || now_ns - maps_read_ns_ > kMapsPauseNs)) {
    if (auto maps = read_maps(process_)) maps_ = *std::move(maps);
    maps_read_ns_ = now_ns;
    map = find(ip);
  }
  const FileId file = symbols.intern_file(symbols.intern_string(place_of(ip, map)));
  const FunctionId function = symbols.intern_function(
      {.name = symbols.intern_string("[no Python]"), .file = file, .first_line = 0, .kind = v1::FRAME_KIND_NATIVE});
  return symbols.intern_stack({}, symbols.intern_location({.function = function}));
}

}  // namespace pycroscope

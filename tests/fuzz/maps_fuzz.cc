#include <cstdlib>
#include <string_view>

#include "daemon/target/maps.h"
#include "daemon/target/modules.h"
#include "daemon/target/proc_text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pycroscope;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto maps = parse_maps(text);
  for (const MapEntry& entry : maps)
    if (entry.begin >= entry.end || entry.path.find('\n') != std::string::npos) std::abort();
  if (find_modules(maps, "/usr/bin/python3").size() > maps.size()) std::abort();
  parse_stat(text);
  status_numbers(text, "Uid");
  return 0;
}

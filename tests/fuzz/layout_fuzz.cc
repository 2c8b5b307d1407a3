#include <cstdlib>

#include "daemon/python/resolve_layout.h"
#include "tests/fuzz/hostile_memory.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pycroscope;
  const fuzz::HostileMemory memory({data, size});
  // The last one is later than the table: every row is tried.
  for (const uint32_t version : {0x030d00f0u, 0x030e00f0u, 0x030f00f0u, 0x036300f0u}) {
    const auto layout = resolve_layout(memory, RemoteAddress(0x10000), version);
    // Whoever uses a layout relies on this.
    if (layout && (layout->frame_size > 256 || layout->frame_previous > layout->frame_size - 8 ||
                   layout->code_linetable > 4096 || layout->code_qualname > 4096)) {
      std::abort();
    }
  }
  return 0;
}

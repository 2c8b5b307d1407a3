#include <cstdlib>

#include "daemon/python/frames.h"
#include "daemon/python/resolve_layout.h"
#include "tests/fuzz/hostile_memory.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pycroscope;
  const fuzz::HostileMemory memory({data, size});
  for (const uint32_t version : {0x030812f0u, 0x030912f0u, 0x030a0df0u, 0x030b02f0u, 0x030c01f0u}) {
    PythonRuntime python;
    const auto layout = resolve_layout(memory, RemoteAddress(), version);
    if (!layout) __builtin_trap();
    python.layout = *layout;
    python.runtime = RemoteAddress(0x10000);
    const auto threads = walk_threads(memory, python, 100);
    if (!threads) continue;
    for (const PythonThread& thread : *threads)
      if (thread.frames.size() > 100) std::abort();
  }
  return 0;
}

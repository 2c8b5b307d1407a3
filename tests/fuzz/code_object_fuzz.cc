#include "daemon/python/code_object.h"
#include "daemon/python/resolve_layout.h"
#include "tests/fuzz/hostile_memory.h"

// Code objects with their line tables and strings, in the layouts that do not come from the target.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pycroscope;
  const fuzz::HostileMemory memory({data, size});
  for (const uint32_t version : {0x030812f0u, 0x030912f0u, 0x030a0df0u, 0x030b02f0u, 0x030c01f0u}) {
    const auto layout = resolve_layout(memory, RemoteAddress(), version);
    if (!layout) __builtin_trap();
    if (const auto code = decode_code(memory, *layout, RemoteAddress(0x10000))) {
      for (int32_t offset = -4; offset < 64; ++offset) code->lines.line(offset);
    }
    static_cast<void>(read_unicode(memory, *layout, RemoteAddress(0x10000), 1024));
    static_cast<void>(read_bytes_object(memory, *layout, RemoteAddress(0x10000), 1024));
  }
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const auto kind : {PYC_LINETABLE_LOCATIONS, PYC_LINETABLE_LNOTAB, PYC_LINETABLE_RANGES}) {
    const LineTable table = LineTable::decode(kind, 1, bytes);
    for (int32_t offset = -4; offset < 64; ++offset) table.line(offset);
  }
  static_cast<void>(printable_utf8(bytes));
  return 0;
}

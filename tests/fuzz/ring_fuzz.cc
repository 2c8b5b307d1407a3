// What a writer may have left in a ring: its header after the daemon's part, and slots.
#include <cstdlib>
#include <cstring>
#include <vector>

#include "daemon/collect/ring_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pycroscope;
  constexpr uint32_t kSlots = 64;
  std::vector<uint64_t> memory(ring_bytes(kSlots) / sizeof(uint64_t));
  const auto bytes = std::as_writable_bytes(std::span(memory));
  RingReader reader = RingReader::create(bytes, kSlots, PYC_RING_DROP);
  const size_t header = std::min<size_t>(size, 128);
  std::memcpy(bytes.data() + 64, data, header);
  std::memcpy(bytes.data() + PYC_RING_SLOTS_AT, data + header,
              std::min(size - header, bytes.size() - PYC_RING_SLOTS_AT));
  reader.look();
  size_t records = 0;
  static_cast<void>(reader.time_of(3));
  while (const RingRecord* record = reader.peek()) {
    if (++records > kSlots || record->type > PYC_RING_LABEL || reader.text().size() > PYC_RING_MAX_TEXT) std::abort();
    reader.pass();
  }
  reader.release();
  static_cast<void>(reader.take_lost());
  return 0;
}

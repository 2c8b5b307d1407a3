// A ring and both of its sides, for tests and benches.
#pragma once

#include <time.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "daemon/collect/ring_reader.h"
#include "daemon/os/shared_memory.h"

namespace pycroscope::test {

inline void pause_50us() {
  const timespec pause{0, 50'000};
  nanosleep(&pause, nullptr);
}
inline constexpr pyc_ring_means kMeans{pause_50us, nullptr};

// A ring and both of its sides.
struct Ring {
  explicit Ring(uint32_t slots, pyc_ring_on_full on_full = PYC_RING_DROP)
      : memory(*SharedMemory::create("ring", pyc_ring_bytes(slots))), reader(memory.bytes(), slots) {
    pyc_ring_make(ring(), slots, on_full);
    pyc_ring_start(&writer, ring(), &kMeans);
  }
  pyc_ring* ring() { return reinterpret_cast<pyc_ring*>(memory.bytes().data()); }

  bool write(uint32_t type, uint64_t time, uint32_t id, uint32_t extra = 0, std::vector<uint64_t> arguments = {}) {
    pyc_ring_slot more[2] = {};
    for (size_t i = 0; i < arguments.size(); ++i) (i % 2 ? more[i / 2].second : more[i / 2].first) = arguments[i];
    return pyc_ring_write(&writer, type, time, id, extra, more, pyc_ring_more(type)) != 0;
  }
  void define(uint32_t id, std::string text) {
    const auto size = static_cast<uint32_t>(text.size());
    std::vector<pyc_ring_slot> more((size + 15) / 16);
    text.resize(more.size() * 16);
    memcpy(more.data(), text.data(), text.size());
    pyc_ring_write(&writer, PYC_RING_TEXT, 0, id, size, more.data(), static_cast<uint32_t>(more.size()));
  }

  SharedMemory memory;
  RingReader reader;
  pyc_ring_writer writer{};
};

}  // namespace pycroscope::test

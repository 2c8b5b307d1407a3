// The probe as it is to be in a target's memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "daemon/probe/probe.h"

namespace pycroscope {

struct ProbeImage {
  uint64_t base = 0;
  std::vector<std::byte> bytes;  // whole pages
  size_t code_size = 0;          // of the first pages, which are to be executable; the others are writable
  // Addresses in the target.
  uint64_t thread = 0, pending = 0, start_thread = 0, trap = 0, records = 0;
};

// How much memory it needs.
size_t probe_image_size();

// `base`: where it is going to be, the start of a page.
ProbeImage probe_image_at(uint64_t base);

}  // namespace pycroscope

// Memory that tears and lies.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <span>

#include "daemon/target/target_memory.h"

namespace pycroscope::test {

// A target's memory in which, now and then, a read fails or some of its bytes are others.
class HostileMemory final : public TargetMemory {
 public:
  HostileMemory(const TargetMemory& memory, uint32_t seed) : memory_(memory), random_(seed), period_(5 + seed % 200) {}

  Status read_bytes(RemoteAddress address, std::span<std::byte> out) const override {
    const auto dice = random_() % (2 * period_);
    if (dice == 0) return fail(ErrorCode::kMemory, "torn");
    PYC_CHECK(memory_.read_bytes(address, out));
    if (dice != 1 || out.empty()) return {};
    // Large numbers, small ones, or a pointer that stays plausible.
    const size_t at = random_() % out.size();
    const auto value = static_cast<std::byte>(random_() % 3 == 0 ? 0xff : random_() % 256);
    for (size_t i = at; i < std::min(out.size(), at + random_() % 8 + 1); ++i) out[i] = value;
    return {};
  }

 private:
  const TargetMemory& memory_;
  mutable std::mt19937 random_;
  uint32_t period_;
};

}  // namespace pycroscope::test

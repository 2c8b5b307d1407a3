// Target memory made of a fuzzer's input: it tears, lies and fails.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "daemon/target/target_memory.h"

namespace pycroscope::fuzz {

// The input appears at every multiple of 64 KiB, so that any address in it leads somewhere. Reads fail now and then,
// and differ from one to the next, as told by the input's own bytes.
class HostileMemory final : public TargetMemory {
 public:
  explicit HostileMemory(std::span<const uint8_t> input) : input_(input) {}

  Status read_bytes(RemoteAddress address, std::span<std::byte> out) const override {
    if (input_.empty() || out.size() > kWindow) return fail(ErrorCode::kMemory, "not there");
    const uint64_t begin = address.address() % kWindow;
    const uint8_t mood = input_[++reads_ % input_.size()];
    if (mood == 0xee) return fail(ErrorCode::kMemory, "not there");
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] = begin + i < input_.size() ? std::byte{input_[begin + i]} : std::byte{0};
    }
    if (mood == 0xed && !out.empty()) out[reads_ % out.size()] ^= std::byte{0xff};
    return {};
  }

 private:
  static constexpr uint64_t kWindow = 1 << 16;
  std::span<const uint8_t> input_;
  mutable size_t reads_ = 0;
};

}  // namespace pycroscope::fuzz

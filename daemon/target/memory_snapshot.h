// The memory of a running target that a reader needs, brought together by one system call: what it used last time is,
// as a rule, what it will use next time.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "daemon/target/target_memory.h"

namespace pycroscope {

// In blocks, each as it was at one moment: when it was captured with the others, or at its first use where it was not
// expected. Not thread-safe: one owner thread.
class MemorySnapshot final : public TargetMemory {
 public:
  static constexpr uint64_t kBlockSize = 1024;  // divides a page: a block is mapped or not

  explicit MemorySnapshot(const TargetMemory& memory) : memory_(memory) {}

  // Forgets everything. `expected`: numbers of blocks, in order and each once.
  void restart(std::span<const uint64_t> expected);
  // Where a reader of `memory` is to put the expected blocks; capture() makes them valid.
  void expect(std::vector<Range>& ranges);
  void capture();

  Status read_bytes(RemoteAddress address, std::span<std::byte> out) const override;
  // Numbers of the blocks that were read from, in order.
  void used(std::vector<uint64_t>& numbers) const;

 private:
  using Block = std::array<std::byte, kBlockSize>;
  struct Slot {
    uint64_t number = 0;
    std::byte* data = nullptr;
    bool valid = false;
    bool used = false;
  };
  Result<const std::byte*> block(uint64_t number) const;
  std::byte* spare() const;

  const TargetMemory& memory_;
  mutable std::vector<Slot> slots_;  // by number
  std::vector<std::byte> expected_;  // the expected blocks, without gaps
  mutable std::vector<std::unique_ptr<Block>> spares_;
  mutable size_t spares_used_ = 0;
  mutable size_t last_ = 0;  // index of the slot used last
};

// The blocks that a reader of snapshots is going to use: those of the last two times.
class ReadHabit {
 public:
  std::span<const uint64_t> expected() const { return expected_; }
  void learn(const MemorySnapshot& snapshot);

 private:
  std::vector<uint64_t> last_, before_, expected_;
};

}  // namespace pycroscope

// The pages of a running target that a reader needs, brought together by one system call: the pages that it used last
// time are, as a rule, those that it will use next time.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "daemon/target/page_cache.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

// Each page is as it was at one moment: when it was captured with the others, or at its first use where it was not
// expected. Not thread-safe: one owner thread.
class PageSnapshot final : public TargetMemory {
 public:
  explicit PageSnapshot(const TargetMemory& memory) : memory_(memory) {}

  // Forgets everything. `expected`: numbers of pages, in order and each once.
  void restart(std::span<const uint64_t> expected);
  // Where a reader of `memory` is to put the expected pages; capture() makes them valid.
  void expect(std::vector<Range>& ranges);
  void capture();

  Status read_bytes(RemoteAddress address, std::span<std::byte> out) const override;
  // Numbers of the pages that were read from, in order.
  void used(std::vector<uint64_t>& numbers) const;

 private:
  using Page = std::array<std::byte, PageCache::kPageSize>;
  struct Slot {
    uint64_t number = 0;
    size_t page = 0;  // index into pages_
    bool valid = false;
    bool used = false;
  };
  Result<const Page*> page(uint64_t number) const;
  size_t new_page() const;

  const TargetMemory& memory_;
  mutable std::vector<Slot> slots_;  // by number
  mutable std::vector<std::unique_ptr<Page>> pages_;
  mutable size_t last_ = 0;  // index of the slot used last
};

// The pages that a reader of snapshots is going to use: those of the last two times.
class PageHabit {
 public:
  std::span<const uint64_t> expected() const { return expected_; }
  void learn(const PageSnapshot& snapshot);

 private:
  std::vector<uint64_t> last_, before_, expected_;
};

}  // namespace pycroscope

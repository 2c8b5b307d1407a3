// Target memory read page by page, each page once: for readers of many small objects that lie close to each other.
#pragma once

#include <array>
#include <memory>
#include <unordered_map>

#include "daemon/target/target_memory.h"

namespace pycroscope {

// A page stays as it was when it was first read. Over a stopped target that makes no difference; over a running one
// every page is a snapshot of its own moment. Not thread-safe: one owner thread.
class PageCache final : public TargetMemory {
 public:
  // Reads beyond `max_pages` distinct pages, and those of over 16 pages, go to `memory` directly.
  explicit PageCache(const TargetMemory& memory, size_t max_pages = 16384) : memory_(memory), max_pages_(max_pages) {}

  Status read_bytes(RemoteAddress address, std::span<std::byte> out) const override;

  static constexpr uint64_t kPageSize = 4096;  // of every kernel this runs on: nothing smaller is mapped

 private:
  using Page = std::array<std::byte, kPageSize>;
  // nullptr: not to be cached.
  Result<const Page*> page(uint64_t number) const;

  const TargetMemory& memory_;
  size_t max_pages_;
  mutable std::unordered_map<uint64_t, std::unique_ptr<Page>> pages_;
  mutable uint64_t last_number_ = ~uint64_t{0};
  mutable const Page* last_ = nullptr;
};

}  // namespace pycroscope

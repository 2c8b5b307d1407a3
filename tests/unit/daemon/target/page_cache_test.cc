#include "daemon/target/page_cache.h"

#include <gtest/gtest.h>

#include <cstring>

namespace pycroscope {
namespace {

// 16 KiB of memory at 0x10000 that counts how often it is read.
class CountingMemory final : public TargetMemory {
 public:
  Status read_bytes(RemoteAddress address, std::span<std::byte> out) const override {
    ++reads;
    const uint64_t offset = address.address() - kBegin;
    if (offset > bytes.size() || out.size() > bytes.size() - offset) {
      return fail(ErrorCode::kMemory, "not mapped");
    }
    std::memcpy(out.data(), bytes.data() + offset, out.size());
    return {};
  }

  static constexpr uint64_t kBegin = 0x10000;
  std::vector<std::byte> bytes = std::vector<std::byte>(4 * PageCache::kPageSize);
  mutable int reads = 0;
};

TEST(PageCache, ReadsAPageOnce) {
  CountingMemory memory;
  memory.bytes[8] = std::byte{7};
  const PageCache cache(memory);
  EXPECT_EQ(cache.read<uint8_t>(RemoteAddress(CountingMemory::kBegin + 8)).value(), 7);
  memory.bytes[8] = std::byte{9};
  EXPECT_EQ(cache.read<uint64_t>(RemoteAddress(CountingMemory::kBegin + 8)).value(), 7u);
  EXPECT_EQ(memory.reads, 1);
}

TEST(PageCache, ReadsAcrossPages) {
  CountingMemory memory;
  for (size_t i = 0; i < memory.bytes.size(); ++i) memory.bytes[i] = static_cast<std::byte>(i * 7 + i / 4096);
  const PageCache cache(memory);
  std::vector<std::byte> out(2 * PageCache::kPageSize);
  ASSERT_TRUE(cache.read_bytes(RemoteAddress(CountingMemory::kBegin + 100), out));
  EXPECT_TRUE(std::equal(out.begin(), out.end(), memory.bytes.begin() + 100));
  EXPECT_EQ(memory.reads, 3);
}

TEST(PageCache, PassesFailuresOn) {
  const CountingMemory memory;
  const PageCache cache(memory);
  EXPECT_FALSE(cache.read<uint64_t>(RemoteAddress(CountingMemory::kBegin + 4 * PageCache::kPageSize - 4)));
  EXPECT_FALSE(cache.read<uint64_t>(RemoteAddress(8)));
  EXPECT_FALSE(cache.read<uint64_t>(RemoteAddress(~uint64_t{0} - 3)));
}

TEST(PageCache, ReadsDirectlyWhenFull) {
  CountingMemory memory;
  const PageCache cache(memory, 1);
  const RemoteAddress second(CountingMemory::kBegin + PageCache::kPageSize);
  ASSERT_TRUE(cache.read<uint64_t>(RemoteAddress(CountingMemory::kBegin)));
  EXPECT_EQ(cache.read<uint8_t>(second).value(), 0);
  memory.bytes[PageCache::kPageSize] = std::byte{3};
  EXPECT_EQ(cache.read<uint8_t>(second).value(), 3);
}

}  // namespace
}  // namespace pycroscope

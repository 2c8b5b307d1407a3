#include "daemon/target/memory_snapshot.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

namespace pycroscope {
namespace {

// Each byte is the low half of its address, plus how often it was read in all; some addresses are not mapped.
class CountingMemory final : public TargetMemory {
 public:
  static constexpr uint64_t kEnd = 64 << 10;

  Status read_bytes(RemoteAddress address, std::span<std::byte> out) const override {
    ++calls;
    if (address.address() + out.size() > kEnd) return fail(ErrorCode::kMemory, "not mapped");
    for (size_t i = 0; i < out.size(); ++i) out[i] = std::byte((address.address() + i) & 0xff);
    return {};
  }
  Status read_ranges(std::span<const Range> ranges) const override {
    const int before = calls;
    const Status read = TargetMemory::read_ranges(ranges);
    calls = before + 1;
    ranges_of_last = ranges.size();
    return read;
  }

  mutable int calls = 0;
  mutable size_t ranges_of_last = 0;
};

class MemorySnapshotTest : public testing::Test {
 protected:
  // As a reader does it each time.
  void bring() {
    snapshot_.restart(habit_.expected());
    std::vector<TargetMemory::Range> ranges;
    snapshot_.expect(ranges);
    ASSERT_TRUE(memory_.read_ranges(ranges));
    snapshot_.capture();
  }
  void read(uint64_t address, size_t size) {
    std::array<std::byte, 8192> bytes{};
    ASSERT_TRUE(snapshot_.read_bytes(RemoteAddress(address), std::span(bytes).first(size)));
    for (size_t i = 0; i < size; ++i) ASSERT_EQ(bytes[i], std::byte((address + i) & 0xff)) << address << " + " << i;
  }

  CountingMemory memory_;
  MemorySnapshot snapshot_{memory_};
  ReadHabit habit_;
};

TEST_F(MemorySnapshotTest, WhatWasReadOnceIsBroughtTogetherTheNextTime) {
  read(0x4010, 100);
  read(0x43f0, 0x900);
  read(0x9000, 8);
  habit_.learn(snapshot_);
  bring();
  EXPECT_EQ(memory_.ranges_of_last, 2U);
  const int calls = memory_.calls;
  read(0x43f0, 0x900);
  read(0x4010, 100);
  read(0x9000, 8);
  EXPECT_EQ(memory_.calls, calls);
  read(0xa000, 8);
  EXPECT_EQ(memory_.calls, calls + 1);
}

TEST_F(MemorySnapshotTest, WhatIsNotUsedAnyMoreIsLeftOut) {
  read(0x4000, 8);
  habit_.learn(snapshot_);
  for (int i = 0; i < 2; ++i) {
    bring();
    EXPECT_EQ(memory_.ranges_of_last, i == 0 ? 1U : 2U);
    read(0x8000, 8);
    habit_.learn(snapshot_);
  }
  bring();
  EXPECT_EQ(memory_.ranges_of_last, 1U);
}

TEST_F(MemorySnapshotTest, MemoryThatIsNotThereIsAnErrorEachTime) {
  std::array<std::byte, 16> bytes{};
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(snapshot_.read_bytes(RemoteAddress(CountingMemory::kEnd - 8), bytes));
  read(CountingMemory::kEnd - 8, 8);
  habit_.learn(snapshot_);
  EXPECT_EQ(habit_.expected().size(), 1U);
}

}  // namespace
}  // namespace pycroscope

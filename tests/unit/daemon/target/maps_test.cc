#include "daemon/target/maps.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>

#include "daemon/target/live_memory.h"
#include "daemon/target/proc_text.h"

namespace pycroscope {
namespace {

TEST(Maps, SurviveHostileNames) {
  const auto maps = parse_maps(
      "00400000-00401000 r-xp 00002000 fe:01 42                         /a b/c (deleted) (deleted)\n"
      "00401000-00402000 rw-p 00000000 00:00 0 \n"
      "7fff0000-7fff1000 rw-p 00000000 00:00 0                          [stack]\n"
      "zzzz-00402000 r--p 00000000 00:00 0 /x\n"
      "00403000-00402000 r--p 00000000 00:00 0 /backwards\n"
      "00403000-00404000 r--p 0 0\n"
      "00404000-00405000 r--p 00000000 08:01 7  /evil\\0120400000-00500000 rwxp 00000000 00:00 0");
  ASSERT_EQ(maps.size(), 4u);
  EXPECT_EQ(maps[0].path, "/a b/c (deleted)");
  EXPECT_TRUE(maps[0].deleted && maps[0].executable && !maps[0].writable);
  EXPECT_EQ(maps[0].offset, 0x2000u);
  EXPECT_EQ(maps[0].device_major, 0xfeu);
  EXPECT_EQ(maps[0].inode, 42u);
  EXPECT_EQ(maps[1].path, "");
  EXPECT_EQ(maps[2].path, "[stack]");
  EXPECT_FALSE(maps[2].is_file());
  EXPECT_EQ(maps[3].path, "/evil\\0120400000-00500000 rwxp 00000000 00:00 0");
}

TEST(ProcText, FindsTheEndOfANameThatImitatesTheRest) {
  const auto stat = parse_stat("5 (a) Z 1 (b) S 1 1 1 0 -1 2097152 0 0 0 0 0 0 0 0 20 0 1 0 777 0 0\n");
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->name, "a) Z 1 (b");
  EXPECT_EQ(stat->state, 'S');
  EXPECT_TRUE(stat->is_kernel_thread());
  EXPECT_EQ(stat->start_time_ticks, 777u);
  EXPECT_FALSE(parse_stat("5 (a"));
  EXPECT_FALSE(parse_stat("5 (a) S 1 2 3"));
}

TEST(Process, KnowsItself) {
  const auto process = Process::open(::getpid());
  ASSERT_TRUE(process) << process.error().message;
  EXPECT_TRUE(process->alive());
  EXPECT_EQ(process->ids()->uid[1], ::geteuid());
  EXPECT_FALSE(process->threads()->empty());
  EXPECT_FALSE(read_maps(*process)->empty());
}

TEST(Process, SaysWhyItCannotBeOpened) {
  EXPECT_EQ(Process::open(0).error().code, ErrorCode::kTargetGone);
  EXPECT_EQ(Process::open(-1).error().message, "there is no process -1");
}

TEST(LiveMemory, ReadsRangesAndTellsWhyItCannot) {
  const LiveMemory memory(::getpid());
  const uint64_t values[] = {1, 2};
  uint64_t first = 0, second = 0;
  const auto range = [](const uint64_t& from, uint64_t& to) {
    return TargetMemory::Range{RemoteAddress(reinterpret_cast<uint64_t>(&from)),
                               std::as_writable_bytes(std::span(&to, 1))};
  };
  const std::array both = {range(values[0], first), range(values[1], second)};
  ASSERT_TRUE(memory.read_ranges(both));
  EXPECT_EQ(first, 1u);
  EXPECT_EQ(second, 2u);
  EXPECT_EQ(memory.read<uint64_t>(RemoteAddress(8)).error().code, ErrorCode::kMemory);
  EXPECT_EQ(LiveMemory(0x7fffffff).read<uint64_t>(RemoteAddress(8)).error().code, ErrorCode::kTargetGone);
}

TEST(CapturedMemory, ReadsAcrossTouchingRangesOnly) {
  CapturedMemory memory;
  const std::array<std::byte, 8> bytes{};
  memory.add(RemoteAddress(0x108), bytes);
  memory.add(RemoteAddress(0x100), bytes);
  EXPECT_TRUE(memory.read<uint64_t>(RemoteAddress(0x104)));
  EXPECT_FALSE(memory.read<uint64_t>(RemoteAddress(0x10c)));
  EXPECT_FALSE(memory.read<uint64_t>(RemoteAddress(0xfc)));
}

}  // namespace
}  // namespace pycroscope

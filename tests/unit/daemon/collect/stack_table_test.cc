#include "daemon/collect/stack_table.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <vector>

namespace pycroscope {
namespace {

// A record of a code object that could not be captured at all, of which nothing can be known.
std::vector<std::byte> empty_record(uint64_t identity) {
  pyc_code_record record{};
  record.type = PYC_RECORD_CODE;
  record.identity = identity;
  std::vector<std::byte> bytes(sizeof record);
  std::memcpy(bytes.data(), &record, sizeof record);
  return bytes;
}

class StackTableTest : public testing::Test {
 protected:
  CapturedMemory memory_;
  pyc_layout layout_{};
  CodeTable codes_{memory_, layout_};
  StackTable stacks_{codes_};
  Symbols symbols_;
};

TEST_F(StackTableTest, StacksOfUnknownCodeHaveNoId) {
  const std::array frames{pyc_frame{.identity = 7, .offset = 2, .reserved = 0}};
  EXPECT_FALSE(stacks_.intern(frames, symbols_).has_value());
  codes_.add(empty_record(7), symbols_);
  EXPECT_FALSE(stacks_.intern(frames, symbols_).has_value());
}

TEST_F(StackTableTest, RecordsThatAreTooShortAreIgnored) {
  codes_.add(std::vector<std::byte>(8), symbols_);
  EXPECT_EQ(codes_.size(), size_t{0});
}

TEST_F(StackTableTest, TheStackWithoutFramesIsTheEmptyOne) { EXPECT_EQ(stacks_.intern({}, symbols_), StackId{}); }

}  // namespace
}  // namespace pycroscope

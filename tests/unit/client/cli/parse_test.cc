#include "client/cli/parse.h"

#include <gtest/gtest.h>

namespace pycroscope {
namespace {

using std::chrono::nanoseconds;

TEST(ParseDuration, UnitsDecimalsAndBareSeconds) {
  const std::pair<const char*, int64_t> cases[] = {
      {"10s", 10'000'000'000}, {"5m", 300'000'000'000},     {"1h", 3'600'000'000'000},
      {"10", 10'000'000'000},  {"0.5", 500'000'000},        {"1.5s", 1'500'000'000},
      {"250ms", 250'000'000},  {"2d", 172'800'000'000'000}, {"3 min", 180'000'000'000},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(parse_duration(text), nanoseconds(expected)) << text;
}

TEST(ParseDuration, RefusesWhatDoesNotLast) {
  for (const char* text : {"0", "-1", "-1s", "0s", "", "s", "10x", "1e9", "nan", "inf", "1s2", "99999999999d"}) {
    const auto value = parse_duration(text);
    ASSERT_FALSE(value) << text;
    EXPECT_EQ(value.error().code, ErrorCode::kInvalid);
  }
}

TEST(ParseTime, ZeroIsTheStart) { EXPECT_EQ(parse_time("0"), nanoseconds(0)); }

TEST(ParseSize, DecimalBinaryAndBareBytes) {
  const std::pair<const char*, uint64_t> cases[] = {
      {"5GB", 5'000'000'000}, {"5gb", 5'000'000'000}, {"1KiB", 1024}, {"2GiB", 2'147'483'648},
      {"1.5MB", 1'500'000},   {"2G", 2'147'483'648},  {"123", 123},   {"0", 0},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(parse_size(text), expected) << text;
  for (const char* text : {"", "GB", "-5GB", "5XB", "five"}) EXPECT_FALSE(parse_size(text)) << text;
}

TEST(ParseRate, OneToTenThousand) {
  EXPECT_EQ(parse_rate("1"), 1);
  EXPECT_EQ(parse_rate("99.5"), 99.5);
  EXPECT_EQ(parse_rate("10000"), 10'000);
  for (const char* text : {"0", "-1", "10001", "fast", "100Hz", ""}) EXPECT_FALSE(parse_rate(text)) << text;
}

TEST(ParsePercent, MoreThanNothing) {
  EXPECT_EQ(parse_percent("5%"), 5);
  EXPECT_EQ(parse_percent("0.5"), 0.5);
  for (const char* text : {"0", "-1%", "%", "much", "5%%", ""}) EXPECT_FALSE(parse_percent(text)) << text;
}

TEST(ParseInteger, SaysWhatItWanted) {
  EXPECT_EQ(parse_integer("17", "a process id", 1, 100), 17);
  EXPECT_EQ(parse_integer("abc", "a process id", 1, 100).error().message, "'abc' is not a process id");
  for (const char* text : {"0", "101", "99999999999999999999", "1x", " 1", ""}) {
    EXPECT_FALSE(parse_integer(text, "a process id", 1, 100)) << text;
  }
}

}  // namespace
}  // namespace pycroscope

#include "daemon/python/literals.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace pycroscope {
namespace {

TEST(IntLiteral, IsDecimal) {
  const auto literal = [](bool negative, std::vector<uint32_t> digits) { return int_literal(negative, digits); };
  EXPECT_EQ(literal(false, {}), "0");
  EXPECT_EQ(literal(true, {5}), "-5");
  EXPECT_EQ(literal(false, {0x3fffffff}), "1073741823");
  EXPECT_EQ(literal(false, {0, 1}), "1073741824");
  EXPECT_EQ(literal(true, {0, 0, 1}), "-1152921504606846976");
  // 10**18: parts between are filled up with zeros.
  EXPECT_EQ(literal(false, {660865024, 931322574}), "1000000000000000000");
}

TEST(FloatLiteral, ReadsBackAsTheSame) {
  EXPECT_EQ(float_literal(0.0), "0.0");
  EXPECT_EQ(float_literal(-0.0), "-0.0");
  EXPECT_EQ(float_literal(0.1), "0.1");
  EXPECT_EQ(float_literal(1e15), "1000000000000000.0");
  EXPECT_EQ(float_literal(1e16), "1e+16");
  EXPECT_EQ(float_literal(1.5e300), "1.5e+300");
  EXPECT_EQ(float_literal(0.0001), "0.0001");
  EXPECT_EQ(float_literal(0.00001), "1e-05");
  EXPECT_EQ(float_literal(std::numeric_limits<double>::infinity()), "inf");
  EXPECT_EQ(float_literal(-std::numeric_limits<double>::infinity()), "-inf");
  EXPECT_EQ(float_literal(-std::nan("")), "nan");
}

std::string str_literal(std::u32string_view text, size_t limit = 100, bool complete = true) {
  LimitedText out(limit);
  append_str_literal(out, text, complete);
  return out.take();
}

TEST(StrLiteral, EscapesAsReprDoes) {
  EXPECT_EQ(str_literal(U"a\n\t\r\\\x01\x7f"), R"('a\n\t\r\\\x01\x7f')");
  EXPECT_EQ(str_literal(U"it's"), R"("it's")");
  EXPECT_EQ(str_literal(U"'\""), R"('\'"')");
  EXPECT_EQ(str_literal(U"é中🚀"), "'é中🚀'");
  EXPECT_EQ(str_literal(U"\u00a0\u200b\U000e0001"), R"('\xa0\u200b\U000e0001')");
  // Not a code point at all: what damaged memory may hold.
  EXPECT_EQ(str_literal(std::u32string{char32_t{0x110000}, char32_t{0xffffffff}}), R"('\U00110000\Uffffffff')");
}

TEST(StrLiteral, IsCutBetweenCharacters) {
  EXPECT_EQ(str_literal(U"abcdef", 4), "'abc…");
  EXPECT_EQ(str_literal(U"a中b", 3), "'a…");
  EXPECT_EQ(str_literal(U"ab\n", 4), "'ab…");
  EXPECT_EQ(str_literal(U"abc", 100, false), "'abc…");
  EXPECT_EQ(str_literal(U"ab", 4), "'ab'");
}

TEST(BytesLiteral, EscapesAsReprDoes) {
  LimitedText out(100);
  append_bytes_literal(out, std::string_view("a\0\x7f\xff'\n", 6), true);
  EXPECT_EQ(out.take(), R"(b"a\x00\x7f\xff'\n")");
}

}  // namespace
}  // namespace pycroscope

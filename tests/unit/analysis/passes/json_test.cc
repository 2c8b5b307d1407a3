#include "analysis/passes/json.h"

#include <gtest/gtest.h>

namespace pycroscope {
namespace {

TEST(Json, EscapesWhatJsonForbids) {
  EXPECT_EQ(json_string("a\"b\\c\n\t\r\x01\x7f"), R"("a\"b\\c\n\t\r\u0001\u007f")");
  EXPECT_EQ(json_string(std::string_view("\0", 1)), R"("\u0000")");
}

TEST(Json, KeepsValidUtf8) {
  for (std::string_view text : {"é", "€", "\xF0\x9F\x90\x8D", "\xEF\xBF\xBF", "\xF4\x8F\xBF\xBF"})
    EXPECT_EQ(valid_utf8(text), text);
}

TEST(Json, ReplacesEachByteThatIsNotUtf8) {
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(valid_utf8("\xFF"), r);
  EXPECT_EQ(valid_utf8("a\xC3"), "a" + r);                   // cut short
  EXPECT_EQ(valid_utf8("\xC0\x80"), r + r);                  // overlong
  EXPECT_EQ(valid_utf8("\xE0\x80\x80"), r + r + r);          // overlong
  EXPECT_EQ(valid_utf8("\xED\xA0\x80"), r + r + r);          // a surrogate
  EXPECT_EQ(valid_utf8("\xF4\x90\x80\x80"), r + r + r + r);  // beyond U+10FFFF
  EXPECT_EQ(valid_utf8("\x80x"), r + "x");
  EXPECT_EQ(json_string("\xC3("), "\"" + r + "(\"");
}

}  // namespace
}  // namespace pycroscope

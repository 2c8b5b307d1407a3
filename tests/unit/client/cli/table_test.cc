#include "client/cli/table.h"

#include <gtest/gtest.h>

namespace pycroscope {
namespace {

TEST(Table, AlignsByDisplayedWidth) {
  Table table({{"N", Align::kRight}, {"NAME"}, {"X"}});
  table.add({"7", "日本", "a"});
  table.add({"1 000", "b", ""});
  EXPECT_EQ(table.text(0),
            "    N  NAME  X\n"
            "    7  日本  a\n"
            "1 000  b\n");
}

TEST(Table, LongCellsGiveWayToTheWidth) {
  Table table({{"ID"}, {"WHERE", Align::kLeft, Shrink::kPath}, {"COMMAND", Align::kLeft, Shrink::kEnd}});
  table.add({"1", "/very/long/path/to/some/module.py:12", "python manage.py runserver --noreload"});
  for (const std::string& line : table.lines(50)) EXPECT_LE(line.size(), 50u + 4) << line;  // "…" is three bytes
  EXPECT_NE(table.text(50).find("…/to/some/module.py:12"), std::string::npos) << table.text(50);
}

TEST(Table, NarrowOnesLeaveOutWhatCanBeDispensedWith) {
  Table table({{"FIRST", Align::kLeft, Shrink::kNever, 1},
               {"SECOND", Align::kLeft, Shrink::kNever, 2},
               {"NAME", Align::kLeft, Shrink::kEnd},
               {"PLACE", Align::kLeft, Shrink::kPath, 3}});
  table.add({"1", "22", "a_function_of_some_length", "/a/path/of/some/length.py"});
  const auto title = [&](size_t width) { return table.lines(width).front(); };
  EXPECT_EQ(title(41), "FIRST  SECOND  NAME          PLACE");
  EXPECT_EQ(title(38), "FIRST  SECOND  NAME");
  EXPECT_EQ(title(26), "FIRST  NAME");
  EXPECT_EQ(title(18), "NAME");
  EXPECT_EQ(title(3), "NAME") << "something stays, however narrow it is";
  EXPECT_EQ(table.lines(38)[1], "1      22      a_function_of_some_len…");
}

TEST(Table, ControlCharactersOfNamesAreShownNotSent) {
  Table table({{"NAME"}});
  table.add({"evil\x1b[2J"});
  EXPECT_EQ(table.text(0).find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace pycroscope

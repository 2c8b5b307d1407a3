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

TEST(Table, ControlCharactersOfNamesAreShownNotSent) {
  Table table({{"NAME"}});
  table.add({"evil\x1b[2J"});
  EXPECT_EQ(table.text(0).find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace pycroscope

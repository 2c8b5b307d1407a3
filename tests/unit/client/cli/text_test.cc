#include "client/cli/text.h"

#include <gtest/gtest.h>

#include "analysis/model/loss.h"

namespace pycroscope {
namespace {

TEST(HumanDuration, ThreeDigitsThenTwoUnits) {
  EXPECT_EQ(human_duration(0), "0 s");
  EXPECT_EQ(human_duration(870'000), "870 µs");
  EXPECT_EQ(human_duration(12'340'000), "12.3 ms");
  EXPECT_EQ(human_duration(999'600'000), "1.00 s");
  EXPECT_EQ(human_duration(12'340'000'000), "12.3 s");
  EXPECT_EQ(human_duration(245'000'000'000), "4 m 05 s");
  EXPECT_EQ(human_duration(7'380'000'000'000), "2 h 03 m");
  EXPECT_EQ(human_duration(-2'000'000'000), "-2.00 s");
}

TEST(HumanBytes, DecimalUnits) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(999), "999 B");
  EXPECT_EQ(human_bytes(1'230), "1.23 kB");
  EXPECT_EQ(human_bytes(999'999), "1.00 MB");
  EXPECT_EQ(human_bytes(5'000'000'000), "5.00 GB");
}

TEST(HumanCount, GroupsOfThree) {
  EXPECT_EQ(human_count(7), "7");
  EXPECT_EQ(human_count(1'000), "1 000");
  EXPECT_EQ(human_count(10'012), "10 012");
  EXPECT_EQ(human_count(1'234'567), "1 234 567");
}

TEST(HumanShare, NeverZeroForSomething) {
  EXPECT_EQ(human_share(1, 8), "12.5 %");
  EXPECT_EQ(human_share(0, 8), "0.0 %");
  EXPECT_EQ(human_share(1, 1e6), "<0.1 %");
  EXPECT_EQ(human_share(1, 0), "-");
}

TEST(HumanLoss, ReasonsInWords) {
  v1::Loss loss;
  loss.set_recorded(10'012);
  EXPECT_EQ(human_loss(loss), "10 012 samples, none lost");
  add_loss(loss, v1::LOSS_REASON_LATE_TICK, 3);
  EXPECT_EQ(human_loss(loss), "10 012 samples, 3 lost (late tick 3)");
  add_loss(loss, v1::LOSS_REASON_RING_FULL, 1'000);
  loss.set_truncated(2);
  EXPECT_NE(human_loss(loss).find("1 003 lost"), std::string::npos);
  EXPECT_NE(human_loss(loss).find("ring full 1 000"), std::string::npos);
  EXPECT_NE(human_loss(loss).find("2 with a stack too deep"), std::string::npos);
}

TEST(DisplayWidth, WideCombiningAndBroken) {
  EXPECT_EQ(display_width("abc"), 3u);
  EXPECT_EQ(display_width("naïve"), 5u);
  EXPECT_EQ(display_width("日本"), 4u);
  EXPECT_EQ(display_width("e\u0301"), 1u);
  EXPECT_EQ(display_width("\xff\xfe"), 2u);
}

TEST(Cut, KeepsWithinTheWidth) {
  EXPECT_EQ(cut_end("abcdef", 6), "abcdef");
  EXPECT_EQ(cut_end("abcdef", 4), "abc…");
  EXPECT_EQ(cut_start("abcdef", 4), "…def");
  EXPECT_EQ(cut_end("日本語", 4), "日…");
  EXPECT_EQ(cut_end("abc", 0), "");
}

TEST(ShortenPath, WholeComponentsFromTheEnd) {
  EXPECT_EQ(shorten_path("/usr/lib/python3.11/json/decoder.py:337", 80), "/usr/lib/python3.11/json/decoder.py:337");
  EXPECT_EQ(shorten_path("/usr/lib/python3.11/json/decoder.py:337", 24), "…/json/decoder.py:337");
  EXPECT_EQ(shorten_path("/usr/lib/a-very-long-module-name.py:1", 10), "…name.py:1");
}

TEST(Printable, NoControlCharactersReachTheTerminal) {
  EXPECT_EQ(visible("a\x1b[31mb"), "a\\x1b[31mb");
  EXPECT_EQ(visible("line\nfeed"), "line\\nfeed");
  EXPECT_EQ(visible("\xff"), "\\xff");
  EXPECT_EQ(visible("naïve 日本"), "naïve 日本");
}

TEST(Wrap, BreaksAtSpacesAndIndents) {
  EXPECT_EQ(wrap("one two three", 8, 0), "one two\nthree");
  EXPECT_EQ(wrap("one two three", 11, 4), "one two\n    three");
  EXPECT_EQ(wrap("a\n\nb", 20, 0), "a\n\nb");
}

}  // namespace
}  // namespace pycroscope

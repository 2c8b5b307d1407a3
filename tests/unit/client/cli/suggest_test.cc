#include "client/cli/suggest.h"

#include <gtest/gtest.h>

namespace pycroscope {
namespace {

constexpr std::string_view kNames[] = {"attach", "top", "dump", "report"};

TEST(Closest, TyposAndBeginnings) {
  EXPECT_EQ(closest("atach", kNames), "attach");
  EXPECT_EQ(closest("attahc", kNames), "attach");
  EXPECT_EQ(closest("rep", kNames), "report");
  EXPECT_EQ(closest("profile", kNames), "");
}

TEST(UnknownName, NamesWhatThereIs) {
  EXPECT_EQ(unknown_name("command", "dmup", kNames), "there is no command 'dmup'; did you mean 'dump'?");
  EXPECT_EQ(unknown_name("command", "profile", kNames),
            "there is no command 'profile'; there are: attach, top, dump, report");
}

}  // namespace
}  // namespace pycroscope

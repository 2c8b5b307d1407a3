#include "daemon/session/sharing.h"

#include <gtest/gtest.h>

namespace pycroscope {
namespace {

Caller user() {
  Caller caller;
  caller.uid = 12345;
  caller.gid = 12345;
  caller.groups = {23456};
  return caller;
}

TEST(Sharing, WithGroupsOfTheCallers) {
  EXPECT_EQ(*group_to_share_with(user(), ""), std::nullopt);
  EXPECT_EQ(*group_to_share_with(user(), "23456"), 23456U);
  EXPECT_EQ(*group_to_share_with(user(), "12345"), 12345U);
}

TEST(Sharing, WithNoOthers) {
  for (const std::string group : {"0", "root", "nonsense", "-1", " 23456", "23456 ", "4294967296"}) {
    EXPECT_EQ(group_to_share_with(user(), group).error().code, ErrorCode::kNotPermitted) << group;
  }
  // What is cut off at the NUL is another name.
  EXPECT_FALSE(group_to_share_with(user(), std::string("23456\0x", 7)));
}

TEST(Sharing, RootMaySayAnyGroupThatThereIs) {
  Caller root;
  EXPECT_EQ(*group_to_share_with(root, "root"), 0U);
  EXPECT_EQ(group_to_share_with(root, "no-such-group").error().code, ErrorCode::kInvalid);
}

}  // namespace
}  // namespace pycroscope

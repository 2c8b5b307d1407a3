#include "daemon/os/yama.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pycroscope {
namespace {

using testing::HasSubstr;

TEST(YamaTest, EachScopeSaysWhatItForbidsAndWhatToDo) {
  EXPECT_EQ(ptrace_scope_limit(0, false), "");
  EXPECT_EQ(ptrace_scope_limit(1, true), "");
  EXPECT_EQ(ptrace_scope_limit(2, true), "");
  EXPECT_THAT(ptrace_scope_limit(1, false), HasSubstr("ptrace_scope=0"));
  EXPECT_THAT(ptrace_scope_limit(2, false), HasSubstr("sudo"));
  EXPECT_THAT(ptrace_scope_limit(3, false), HasSubstr("boot"));
  EXPECT_THAT(ptrace_scope_limit(3, true), HasSubstr("boot"));
}

}  // namespace
}  // namespace pycroscope

#include "analysis/model/session_words.h"

#include <gtest/gtest.h>

#include <set>

namespace pycroscope {
namespace {

TEST(SessionWords, EachValueHasItsOwnAndOnlyUnknownOnesShareOne) {
  std::set<std::string_view> states, modes;
  for (int state = v1::SessionState_MIN; state <= v1::SessionState_MAX; ++state)
    states.insert(state_name(static_cast<v1::SessionState>(state)));
  for (int mode = v1::SampleMode_MIN; mode <= v1::SampleMode_MAX; ++mode)
    modes.insert(mode_name(static_cast<v1::SampleMode>(mode)));
  EXPECT_EQ(states, (std::set<std::string_view>{"unknown", "recording", "complete", "interrupted", "failed"}));
  EXPECT_EQ(modes, (std::set<std::string_view>{"unknown", "cpu", "wall", "gil"}));
  EXPECT_EQ(state_name(v1::SESSION_STATE_UNSPECIFIED), "unknown");
  EXPECT_EQ(mode_name(v1::SAMPLE_MODE_UNSPECIFIED), "unknown");
}

}  // namespace
}  // namespace pycroscope

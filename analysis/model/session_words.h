// The words for what a session is, one spelling for JSON and people.
#pragma once

#include <string_view>

#include "pycroscope/v1/session.pb.h"

namespace pycroscope {

// "recording", "complete", "interrupted", "failed"; "unknown" for what this version does not know.
std::string_view state_name(v1::SessionState state);
// "cpu", "wall", "gil"; "unknown" for what this version does not know.
std::string_view mode_name(v1::SampleMode mode);

}  // namespace pycroscope

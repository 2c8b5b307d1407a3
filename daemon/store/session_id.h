// Ids and names of sessions.
//
//   id := YYYYMMDD-HHMMSS-FFFRRR      UTC; FFF: hex, the fraction of the second in 1/4096; RRR: hex, random
//
// So ids sort by time, and the newest session is found from the names of directories alone.
#pragma once

#include <google/protobuf/timestamp.pb.h>

#include <string>
#include <string_view>

#include "analysis/model/result.h"

namespace pycroscope {

inline constexpr size_t kSessionIdSize = 22;

std::string new_session_id(const google::protobuf::Timestamp& time);
// One for a session that begins at `time`, which is sorted after `newest` (an id, or empty) even when the clock has
// been set back since that was given out.
std::string next_session_id(const google::protobuf::Timestamp& time, std::string_view newest);

bool is_session_id(std::string_view text);
// An empty name is none, and valid.
Status check_session_name(std::string_view name);

}  // namespace pycroscope

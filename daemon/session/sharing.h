// With which groups a caller may share sessions.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "analysis/model/result.h"
#include "daemon/session/caller.h"

namespace pycroscope {

// `group`: a name or a number, or empty for none. kNotPermitted for a group that the caller is not in, unless the
// caller is root; kInvalid for one that does not exist.
Result<std::optional<gid_t>> group_to_share_with(const Caller& caller, const std::string& group);

}  // namespace pycroscope

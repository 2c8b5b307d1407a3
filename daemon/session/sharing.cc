#include "daemon/session/sharing.h"

#include <fmt/format.h>

#include <algorithm>

#include "analysis/passes/json.h"
#include "daemon/os/user_names.h"

namespace pycroscope {

Result<std::optional<gid_t>> group_to_share_with(const Caller& caller, const std::string& group) {
  if (group.empty()) return std::nullopt;
  const std::optional<gid_t> gid = group.contains('\0') ? std::nullopt : find_group(group);
  const bool is_member = gid && (*gid == caller.gid || std::ranges::find(caller.groups, *gid) != caller.groups.end());
  if (is_member || (gid && caller.root())) return gid;
  if (!gid && caller.root())
    return fail(ErrorCode::kInvalid,
                fmt::format("there is no group {}: `getent group` lists them", json_string(group)));
  // Whether there is such a group is said to its members only.
  return fail(ErrorCode::kNotPermitted,
              fmt::format("you are in no group {}: share with one that `id` names", json_string(group)));
}

}  // namespace pycroscope

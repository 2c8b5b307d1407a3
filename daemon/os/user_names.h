// Names and numbers of users and groups. Thread-safe.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace pycroscope {

// The name; the number in digits where it has none.
std::string user_name(uid_t uid);
std::string group_name(gid_t gid);

// A group by its name, or by its number in digits.
std::optional<gid_t> find_group(const std::string& name_or_number);

}  // namespace pycroscope

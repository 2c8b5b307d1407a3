#include "daemon/os/user_names.h"

#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <charconv>
#include <vector>

namespace pycroscope {
namespace {

constexpr size_t kBufferBytes = 4096;
// A group's entry names all its members.
constexpr size_t kMaxBufferBytes = size_t{16} << 20;

// Calls `look_up`, getpwuid_r(3) or one of its kin, with a larger buffer for as long as it is too small, and `take`
// with the entry when there is one.
template <class Entry, class Key, class Take>
void with_entry(int (*look_up)(Key, Entry*, char*, size_t, Entry**), Key key, const Take& take) {
  Entry entry{};
  Entry* found = nullptr;
  std::vector<char> buffer(kBufferBytes);
  while (look_up(key, &entry, buffer.data(), buffer.size(), &found) == ERANGE && buffer.size() < kMaxBufferBytes)
    buffer.resize(buffer.size() * 4);
  if (found != nullptr) take(*found);
}

}  // namespace

std::string user_name(uid_t uid) {
  std::string name = std::to_string(uid);
  with_entry(::getpwuid_r, uid, [&](const passwd& entry) { name = entry.pw_name; });
  return name;
}

std::string group_name(gid_t gid) {
  std::string name = std::to_string(gid);
  with_entry(::getgrgid_r, gid, [&](const group& entry) { name = entry.gr_name; });
  return name;
}

std::optional<gid_t> find_group(const std::string& name_or_number) {
  gid_t number{};
  const char* end = name_or_number.data() + name_or_number.size();
  const auto parsed = std::from_chars(name_or_number.data(), end, number);
  if (!name_or_number.empty() && parsed.ec == std::errc() && parsed.ptr == end) return number;
  std::optional<gid_t> gid;
  with_entry(::getgrnam_r, name_or_number.c_str(), [&](const group& entry) { gid = entry.gr_gid; });
  return gid;
}

}  // namespace pycroscope

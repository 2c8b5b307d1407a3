#include "daemon/os/user_names.h"

#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <charconv>
#include <string_view>
#include <vector>

namespace pycroscope {
namespace {

constexpr size_t kBufferBytes = 4096;
// A group's entry names all its members.
constexpr size_t kMaxBufferBytes = size_t{16} << 20;

// Calls `look_up(buffer)`, which returns an errno, with a larger buffer for as long as it is too small.
template <class LookUp>
void with_buffer(const LookUp& look_up) {
  std::vector<char> buffer(kBufferBytes);
  while (look_up(buffer) == ERANGE && buffer.size() < kMaxBufferBytes) buffer.resize(buffer.size() * 4);
}

}  // namespace

std::string user_name(uid_t uid) {
  passwd entry{};
  passwd* found = nullptr;
  std::string name = std::to_string(uid);
  with_buffer([&](std::vector<char>& buffer) {
    const int error = ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
    if (error == 0 && found != nullptr) name = entry.pw_name;
    return error;
  });
  return name;
}

std::string group_name(gid_t gid) {
  group entry{};
  group* found = nullptr;
  std::string name = std::to_string(gid);
  with_buffer([&](std::vector<char>& buffer) {
    const int error = ::getgrgid_r(gid, &entry, buffer.data(), buffer.size(), &found);
    if (error == 0 && found != nullptr) name = entry.gr_name;
    return error;
  });
  return name;
}

std::optional<gid_t> find_group(const std::string& name_or_number) {
  gid_t number{};
  const char* end = name_or_number.data() + name_or_number.size();
  const auto parsed = std::from_chars(name_or_number.data(), end, number);
  if (!name_or_number.empty() && parsed.ec == std::errc() && parsed.ptr == end) return number;
  group entry{};
  group* found = nullptr;
  std::optional<gid_t> gid;
  with_buffer([&](std::vector<char>& buffer) {
    const int error = ::getgrnam_r(name_or_number.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (error == 0 && found != nullptr) gid = entry.gr_gid;
    return error;
  });
  return gid;
}

}  // namespace pycroscope

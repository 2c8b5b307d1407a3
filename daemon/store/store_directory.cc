#include "daemon/store/store_directory.h"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "daemon/store/catalog.h"

namespace pycroscope {
namespace {

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : value;
}

template <class Id>
std::optional<Id> environment_id(const char* name) {
  std::string_view text = environment(name);
  Id id{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return id;
}

// The user who called sudo.
std::optional<uid_t> sudo_user() { return ::geteuid() == 0 ? environment_id<uid_t>("SUDO_UID") : std::nullopt; }

std::filesystem::path home_directory() {
  std::optional<uid_t> sudo = sudo_user();
  if (!sudo && !environment("HOME").empty()) return environment("HOME");
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  ::getpwuid_r(sudo.value_or(::geteuid()), &entry, buffer.data(), buffer.size(), &found);
  return found == nullptr ? "/" : found->pw_dir;
}

// Under sudo, what is made in a place of the calling user's, or in everybody's, becomes the user's.
bool belongs_to_sudo_user(const struct stat& parent) {
  std::optional<uid_t> sudo = sudo_user();
  return sudo && (parent.st_uid == *sudo || (parent.st_mode & S_IWOTH) != 0);
}

Status make_directory(const std::filesystem::path& directory) {
  auto error = [&] {
    return fail(errno == EACCES || errno == EPERM || errno == EROFS ? ErrorCode::kNotPermitted
                : errno == ENOSPC || errno == EDQUOT                ? ErrorCode::kNoSpace
                                                                    : ErrorCode::kFailed,
                fmt::format("cannot use the store {}: {}; choose another one with --store", directory.string(),
                            std::strerror(errno)));
  };
  struct stat status{};
  if (::stat(directory.c_str(), &status) == 0) {
    errno = ENOTDIR;
    return S_ISDIR(status.st_mode) ? Status() : error();
  }
  if (errno != ENOENT) return error();
  std::filesystem::path parent = directory.parent_path();
  if (parent.empty()) parent = ".";
  if (parent != directory) PYC_CHECK(make_directory(parent));
  if (::stat(parent.c_str(), &status) != 0) return error();
  bool for_sudo_user = belongs_to_sudo_user(status);
  mode_t mode = ::geteuid() == 0 && !for_sudo_user ? 0755 : 0700;
  if (::mkdir(directory.c_str(), mode) != 0) return errno == EEXIST ? Status() : error();
  if (!for_sudo_user) return {};
  gid_t group = environment_id<gid_t>("SUDO_GID").value_or(static_cast<gid_t>(-1));
  return ::lchown(directory.c_str(), *sudo_user(), group) == 0 ? Status() : error();
}

}  // namespace

Status make_store_directory(const std::filesystem::path& directory) {
  std::filesystem::path clean = directory.lexically_normal();
  if (!clean.has_filename()) clean = clean.parent_path();  // a trailing slash
  return make_directory(clean / kSessionsName);
}

std::filesystem::path default_store_directory() {
  if (std::string_view store = environment("PYCROSCOPE_STORE"); !store.empty()) return store;
  std::string_view state = environment("XDG_STATE_HOME");
  if (!state.empty() && state.front() == '/') return std::filesystem::path(state) / "pycroscope";
  return home_directory() / ".local" / "state" / "pycroscope";
}

}  // namespace pycroscope

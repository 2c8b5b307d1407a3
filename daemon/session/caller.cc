#include "daemon/session/caller.h"

#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <string>

#include "daemon/session/permission.h"
#include "daemon/target/namespaces.h"
#include "daemon/target/proc_text.h"

namespace pycroscope {
namespace {

std::vector<gid_t> own_groups() {
  const int count = ::getgroups(0, nullptr);
  std::vector<gid_t> groups(count > 0 ? static_cast<size_t>(count) : 0);
  const int filled = ::getgroups(count, groups.data());
  groups.resize(filled > 0 ? static_cast<size_t>(filled) : 0);
  return groups;
}

std::optional<uid_t> environment_id(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? std::nullopt : parse_number<uid_t>(text);
}

StoreUser owner_of_own_sessions(uid_t uid, gid_t gid) {
  const auto sudo_uid = environment_id("SUDO_UID");
  const auto sudo_gid = environment_id("SUDO_GID");
  if (uid != 0 || !sudo_uid || !sudo_gid) return {uid, gid};
  return {*sudo_uid, *sudo_gid};
}

}  // namespace

Caller Caller::self() {
  Caller caller;
  caller.uid = ::geteuid();
  caller.gid = ::getegid();
  caller.pid = ::getpid();
  caller.groups = own_groups();
  caller.user_namespace = namespace_inode(std::to_string(caller.pid), "user").value_or(0);
  if (const auto capabilities = capabilities_of(caller.pid)) caller.capabilities = *capabilities;
  caller.session_owner = owner_of_own_sessions(caller.uid, caller.gid);
  return caller;
}

}  // namespace pycroscope

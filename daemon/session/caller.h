// On whose behalf something is done.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "daemon/store/store.h"

namespace pycroscope {

struct Caller {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;  // for people only: it may have been reused
  std::vector<gid_t> groups;
  uint64_t user_namespace = 0;  // inode of /proc/PID/ns/user, 0: unknown
  uint64_t pid_namespace = 0;   // inode of /proc/PID/ns/pid, 0: unknown
  uint64_t capabilities = 0;    // the permitted set; peers of a socket have none unless they are root
  StoreUser session_owner;      // who owns what this caller records

  bool root() const { return uid == 0; }
  // For whom the store works when this caller looks for sessions.
  StoreUser store_user() const {
    StoreUser user{uid, gid, groups};
    user.groups.push_back(gid);
    return user;
  }

  // This very process. Under sudo permissions are root's, but sessions belong to SUDO_UID.
  static Caller self();
};

}  // namespace pycroscope

#include "daemon/session/thread_rights.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "daemon/os/file.h"

namespace pycroscope {

Status take_rights_of(const Caller& caller) {
  if (::geteuid() != 0 || caller.root()) return {};
  if (::syscall(SYS_setgroups, caller.groups.size(), caller.groups.data()) != 0) {
    return fail(ErrorCode::kNotPermitted, "cannot take over the caller's groups: " + errno_text(errno));
  }
  // These return the former id whether or not they work, so each is asked for again. A file-system uid that is not
  // root's takes CAP_DAC_OVERRIDE and its like away (capabilities(7)).
  ::syscall(SYS_setfsgid, caller.gid);
  ::syscall(SYS_setfsuid, caller.uid);
  const bool changed = static_cast<gid_t>(::syscall(SYS_setfsgid, -1)) == caller.gid &&
                       static_cast<uid_t>(::syscall(SYS_setfsuid, -1)) == caller.uid;
  if (!changed) return fail(ErrorCode::kNotPermitted, "cannot take over the caller's user and group id");
  return {};
}

}  // namespace pycroscope

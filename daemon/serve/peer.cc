#include "daemon/serve/peer.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>

#include "daemon/os/file.h"
#include "daemon/target/namespaces.h"

namespace pycroscope {
namespace {

std::vector<gid_t> peer_groups(const Fd& connection) {
  std::vector<gid_t> groups(64);
  while (true) {
    auto bytes = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    if (::getsockopt(connection.get(), SOL_SOCKET, SO_PEERGROUPS, groups.data(), &bytes) == 0) {
      groups.resize(bytes / sizeof(gid_t));
      return groups;
    }
    // ERANGE: `bytes` is what is needed. Without the list the caller has fewer rights, never more.
    if (errno != ERANGE) return {};
    groups.resize(bytes / sizeof(gid_t));
  }
}

// Whether the process that connected is known to have ended. Kernels before 6.5 cannot tell.
bool has_ended(const Fd& connection) {
#ifndef SO_PEERPIDFD
  constexpr int SO_PEERPIDFD = 77;
#endif
  int pidfd = -1;
  socklen_t bytes = sizeof(pidfd);
  if (::getsockopt(connection.get(), SOL_SOCKET, SO_PEERPIDFD, &pidfd, &bytes) != 0) {
    return errno == ESRCH || errno == EINVAL || errno == ENODATA;
  }
  const Fd process(pidfd);
  pollfd ended{.fd = process.get(), .events = POLLIN, .revents = 0};
  return ::poll(&ended, 1, 0) != 0;
}

}  // namespace

Result<Caller> peer_of(const Fd& connection) {
  ucred credentials{};
  socklen_t bytes = sizeof(credentials);
  if (::getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) != 0) {
    return fail(ErrorCode::kNotPermitted, fmt::format("cannot tell who is calling: {}", errno_text(errno)));
  }
  Caller caller;
  caller.uid = credentials.uid;
  caller.gid = credentials.gid;
  caller.pid = credentials.pid;
  caller.groups = peer_groups(connection);
  caller.session_owner = {credentials.uid, credentials.gid};
  // The pid may belong to another program by now, even to a set-uid one: capabilities are not taken from it.
  const std::string pid = std::to_string(credentials.pid);
  const uint64_t user_namespace = namespace_inode(pid, "user").value_or(0);
  const uint64_t pid_namespace = namespace_inode(pid, "pid").value_or(0);
  // Whoever has ended is in no namespace: what was read may be of another process.
  if (has_ended(connection)) return caller;
  caller.user_namespace = user_namespace;
  caller.pid_namespace = pid_namespace;
  return caller;
}

}  // namespace pycroscope

// A client of a unix socket under any user id: the kernel notes who connects, so only that is done in another process.
#pragma once

#include <fcntl.h>
#include <grp.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <string>

#include "daemon/os/fd.h"
#include "pycroscope/v1/service.grpc.pb.h"

namespace pycroscope::test {

// A connected socket; empty when nobody answers.
inline Fd connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return {};
  return fd;
}

// Runs only system calls in the child: the test has threads.
class SocketPeer {
 public:
  SocketPeer(const std::string& path, uid_t uid) {
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) std::abort();
    child_ = ::fork();
    if (child_ == 0) {
      // Descriptors of the test that stay open here would keep its connections alive.
      constexpr int kBack = 3;
      ::dup2(pair[1], kBack);
      ::close_range(kBack + 1, ~0U, 0);
      const bool changed = uid == ::getuid() || (::setgroups(0, nullptr) == 0 && ::setresgid(uid, uid, uid) == 0 &&
                                                 ::setresuid(uid, uid, uid) == 0);
      Fd connection = connect_to(path);
      if (!changed || !connection) ::_exit(1);
      send_fd(kBack, connection.get());
      // Alive until it is killed: the server looks at its namespaces.
      while (true) ::pause();
    }
    const Fd mine(pair[0]);
    Fd(pair[1]).reset();
    fd_ = receive_fd(mine.get());
  }
  SocketPeer(const SocketPeer&) = delete;
  SocketPeer& operator=(const SocketPeer&) = delete;
  ~SocketPeer() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }

  std::unique_ptr<v1::Profiler::Stub> stub() {
    EXPECT_TRUE(fd_);
    return v1::Profiler::NewStub(grpc::CreateInsecureChannelFromFd("peer", fd_.release()));
  }

 private:
  union Control {
    cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  };

  static void send_fd(int socket, int fd) {
    char byte = 'x';
    iovec data{&byte, 1};
    Control control{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof(control.bytes);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    if (::sendmsg(socket, &message, 0) != 1) ::_exit(1);
  }

  static Fd receive_fd(int socket) {
    char byte;
    iovec data{&byte, 1};
    Control control{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof(control.bytes);
    if (::recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1) return {};
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return {};
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    ::fcntl(fd, F_SETFL, O_NONBLOCK);
    return Fd(fd);
  }

  pid_t child_;
  Fd fd_;
};

}  // namespace pycroscope::test

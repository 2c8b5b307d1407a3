#include "daemon/os/stopped_thread.h"

#include <sys/user.h>

#include <cerrno>

namespace pycroscope {
namespace {

// True for what a system call leaves in the result register when a stop found it waiting: the kernel's own codes for
// "start again" (ERESTARTSYS to ERESTART_RESTARTBLOCK, linux/errno.h), or EINTR.
bool was_waiting(int64_t result) { return (result <= -512 && result >= -516 && result != -515) || result == -EINTR; }

}  // namespace

StoppedThread decode_registers(pid_t tid, const user_regs_struct& registers) {
#ifndef __x86_64__
#error "say here where this machine keeps the thread and stack pointers and a system call's number, argument and result"
#endif
  StoppedThread thread;
  thread.tid = tid;
  thread.thread_pointer = registers.fs_base;
  thread.stack_pointer = registers.rsp;
  const auto number = static_cast<int64_t>(registers.orig_rax);
  if (number >= 0 && was_waiting(static_cast<int64_t>(registers.rax))) {
    thread.blocked_in = {number, registers.rdi};
  }
  return thread;
}

}  // namespace pycroscope

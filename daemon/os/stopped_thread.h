// What a thread that stands still was doing, from its registers.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

struct user_regs_struct;

namespace pycroscope {

struct StoppedThread {
  pid_t tid = 0;
  // What pthread_self() gives there; 0 for a thread that hangs in the kernel where no stop reaches it.
  uint64_t thread_pointer = 0;
  uint64_t stack_pointer = 0;  // 0 likewise
  struct SystemCall {
    int64_t number = 0;
    uint64_t first_argument = 0;
  };
  // The system call it was waiting in; none when it was running, in user code or in the kernel.
  std::optional<SystemCall> blocked_in = {};

  bool waits() const { return blocked_in || thread_pointer == 0; }
};

// `registers`: as PTRACE_GETREGS has them, which is also how they stand in core files.
StoppedThread decode_registers(pid_t tid, const user_regs_struct& registers);

}  // namespace pycroscope

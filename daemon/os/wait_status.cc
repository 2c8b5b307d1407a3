#include "daemon/os/wait_status.h"

#include <sys/ptrace.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>

namespace pycroscope {

std::optional<WaitStatus> peek_wait_status(pid_t tid) {
  siginfo_t info{};
  constexpr int kOptions = WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL | __WNOTHREAD;
  while (::waitid(P_PID, static_cast<id_t>(tid), &info, kOptions) != 0) {
    if (errno != EINTR) return WaitStatus{WaitKind::kEnded, 0};
  }
  if (info.si_pid == 0) return std::nullopt;
  if (info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED) return WaitStatus{WaitKind::kEnded, 0};
  // A traced thread's status is its signal, with the ptrace event (if any) in the second byte.
  const int event = info.si_status >> 8;
  const int signal = info.si_status & 0xff;
  if (event == PTRACE_EVENT_EXEC) return WaitStatus{WaitKind::kExecuted, 0};
  if (event != 0) return WaitStatus{WaitKind::kTrapped, signal == SIGTRAP ? 0 : signal};
  return WaitStatus{WaitKind::kSignalDelivery, signal};
}

}  // namespace pycroscope

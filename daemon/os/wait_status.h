// What waitid() says of a thread that is traced, decoded once.
#pragma once

#include <sys/types.h>

#include <optional>

namespace pycroscope {

enum class WaitKind {
  kEnded,           // exited or killed
  kSignalDelivery,  // stopped with `signal` about to be delivered: whoever lets it go must pass the signal on
  kTrapped,         // stopped by PTRACE_INTERRUPT, or by a stop signal of its own (SIGSTOP, SIGTSTP, ...)
  kExecuted,        // stopped with another program about to begin
};

struct WaitStatus {
  WaitKind kind = WaitKind::kEnded;
  int signal = 0;  // of kSignalDelivery, and of kTrapped the stop signal, 0: none
};

// The state of thread `tid`, which the calling thread traces. It is left in the kernel, so that a parent's own wait
// still sees a child's end and a tracer that dies loses no signal. nullopt: nothing to report yet. Does not block. A
// thread that this one does not trace (any more) counts as ended.
std::optional<WaitStatus> peek_wait_status(pid_t tid);

}  // namespace pycroscope

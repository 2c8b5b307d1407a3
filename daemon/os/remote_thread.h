// One thread of a process that runs code of ours for a moment, while the process's other threads go on.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>

#include "analysis/model/result.h"
#include "daemon/os/stopped_thread.h"

namespace pycroscope {

// Stopped by PTRACE_SEIZE and PTRACE_INTERRUPT; used and destroyed by the thread that made it, which is its tracer. The
// destructor gives it back its registers (those of the FPU and of vectors too) and lets it go on as if nothing had
// been: a system call that it was blocked in is restarted by the kernel, signals that came meanwhile are delivered.
//
// Should the tracer die while call() is under way, the thread runs into the trap that it was given, which kills the
// target: that takes well below a millisecond, and no signal but SIGKILL can come in between.
class RemoteThread {
 public:
  // kTargetGone: there is no such thread (any more); kNotPermitted, kFailed as ProcessStop::stop().
  static Result<RemoteThread> stop(pid_t pid, pid_t tid);

  // One that the calling thread traces and that stands still.
  static Result<RemoteThread> adopt(pid_t pid, pid_t tid);

  RemoteThread(RemoteThread&&) noexcept;
  RemoteThread& operator=(RemoteThread&&) = delete;
  ~RemoteThread();

  // What it was doing when it was stopped.
  const StoppedThread& state() const;
  // Where its code was at that time.
  uint64_t instruction() const;

  // Writes to the process's memory, which must be writable there. kMemory.
  Status write(uint64_t address, std::span<const std::byte> bytes) const;
  // Runs a system call at `instruction`, the address of a `syscall` instruction. The call's own result: negative is an
  // error number. kTargetGone, kFailed: it did not come back.
  Result<int64_t> system_call(uint64_t instruction, long number, std::initializer_list<uint64_t> arguments);
  // Calls a function with at most six arguments on the thread's own stack. `trap`: address of an int3 instruction,
  // which it returns to. What it returns. kTargetGone; kFailed: it did not come back in time or broke a rule of the
  // processor; it is as it was before in either case.
  Result<uint64_t> call(uint64_t function, uint64_t trap, std::initializer_list<uint64_t> arguments,
                        std::chrono::milliseconds patience);

 private:
  struct Impl;
  explicit RemoteThread(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pycroscope

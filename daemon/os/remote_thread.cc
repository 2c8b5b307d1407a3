#include "daemon/os/remote_thread.h"

#include <elf.h>
#include <fmt/format.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <thread>
#include <utility>
#include <vector>

#include "daemon/os/ptrace_failure.h"
#include "daemon/os/wait_status.h"

namespace pycroscope {
namespace {

using std::chrono::steady_clock;

constexpr auto kStopPatience = std::chrono::seconds(1);
constexpr auto kSystemCallPatience = std::chrono::milliseconds(500);
constexpr size_t kMaxVectorState = 16384;
// Below the stack pointer the ABI leaves 128 bytes to whoever was interrupted.
constexpr uint64_t kRedZone = 128, kStackAlignment = 16;

// What a processor says of code that breaks its rules.
bool is_fault(int signal) { return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE; }

}  // namespace

struct RemoteThread::Impl {
  Impl(pid_t process, pid_t thread) : pid(process), tid(thread) {}

  const pid_t pid, tid;
  bool gone = false;
  user_regs_struct registers{};         // as they were
  std::vector<std::byte> vector_state;  // likewise
  StoppedThread state;
  std::vector<int> signals;  // that came meanwhile

  // The next stop; nothing in time.
  std::optional<WaitStatus> await(steady_clock::time_point until) {
    for (auto pause = std::chrono::microseconds(5);;) {
      if (const auto status = peek_wait_status(tid)) {
        gone |= status->kind == WaitKind::kEnded;
        return status;
      }
      if (steady_clock::now() > until) return std::nullopt;
      std::this_thread::sleep_for(pause);
      pause = std::min(pause * 2, std::chrono::microseconds(200));
    }
  }

  Status save() {
    if (::ptrace(PTRACE_GETREGS, tid, nullptr, &registers) != 0) return lost();
    vector_state.resize(kMaxVectorState);
    iovec vector{vector_state.data(), vector_state.size()};
    if (::ptrace(PTRACE_GETREGSET, tid, NT_X86_XSTATE, &vector) != 0) return lost();
    vector_state.resize(vector.iov_len);
    state = decode_registers(tid, registers);
    return {};
  }

  void restore() {
    ::ptrace(PTRACE_SETREGS, tid, nullptr, &registers);
    iovec vector{vector_state.data(), vector_state.size()};
    ::ptrace(PTRACE_SETREGSET, tid, NT_X86_XSTATE, &vector);
  }

  Status lost() const {
    return fail(ErrorCode::kTargetGone, fmt::format("thread {} of process {} ended while it was stopped", tid, pid));
  }

  // Lets it run until the trap, or for one instruction, with signals held back. Its registers then.
  Result<user_regs_struct> run(__ptrace_request how, const user_regs_struct& from, std::chrono::milliseconds patience) {
    if (::ptrace(PTRACE_SETREGS, tid, nullptr, &from) != 0) return std::unexpected(lost().error());
    const auto until = steady_clock::now() + patience;
    bool is_forbidden = false;
    for (bool interrupted = false;;) {
      if (::ptrace(how, tid, nullptr, nullptr) != 0) return std::unexpected(lost().error());
      auto status = await(until);
      if (!status && !std::exchange(interrupted, true)) {
        ::ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr);
        status = await(steady_clock::now() + kStopPatience);
      }
      if (gone) return std::unexpected(lost().error());
      if (!status || interrupted)
        return fail(ErrorCode::kFailed,
                    fmt::format("thread {} of process {} did not come back from a call in time", tid, pid));
      if (status->kind == WaitKind::kTrapped) continue;
      if (status->signal == SIGTRAP) break;
      if (status->signal == SIGSYS) {
        // By a seccomp filter, which has not let a system call of ours begin; the step that it was is still to end.
        is_forbidden = true;
        if (how == PTRACE_SINGLESTEP) continue;
        break;
      }
      if (is_fault(status->signal))
        return fail(ErrorCode::kFailed,
                    fmt::format("a call in thread {} of process {} ended with signal {}", tid, pid, status->signal));
      signals.push_back(status->signal);
    }
    if (is_forbidden)
      return fail(ErrorCode::kNotPermitted, fmt::format("process {} has a seccomp filter that forbids it", pid));
    user_regs_struct now{};
    if (::ptrace(PTRACE_GETREGS, tid, nullptr, &now) != 0) return std::unexpected(lost().error());
    return now;
  }
};

Result<RemoteThread> RemoteThread::stop(pid_t pid, pid_t tid) {
  auto impl = std::make_unique<Impl>(pid, tid);
  if (::ptrace(PTRACE_SEIZE, tid, nullptr, nullptr) != 0) return std::unexpected(seize_failure(pid, tid));
  RemoteThread thread(std::move(impl));
  Impl& t = *thread.impl_;
  ::ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr);
  const auto status = t.await(steady_clock::now() + kStopPatience);
  if (t.gone) return std::unexpected(t.lost().error());
  if (!status)
    return fail(ErrorCode::kFailed,
                fmt::format("thread {} of process {} did not stop within a second: try again", tid, pid));
  if (status->kind == WaitKind::kSignalDelivery) t.signals.push_back(status->signal);
  PYC_CHECK(t.save());
  return thread;
}

Result<RemoteThread> RemoteThread::adopt(pid_t pid, pid_t tid) {
  RemoteThread thread(std::make_unique<Impl>(pid, tid));
  PYC_CHECK(thread.impl_->save());
  return thread;
}

RemoteThread::RemoteThread(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RemoteThread::RemoteThread(RemoteThread&&) noexcept = default;

RemoteThread::~RemoteThread() {
  if (!impl_ || impl_->gone) return;
  if (!impl_->vector_state.empty()) impl_->restore();
  // The first as if it came now, the others again.
  int first = 0;
  for (const int signal : impl_->signals)
    if (first == 0)
      first = signal;
    else
      ::syscall(SYS_tgkill, impl_->pid, impl_->tid, signal);
  ::ptrace(PTRACE_DETACH, impl_->tid, nullptr, static_cast<intptr_t>(first));
}

const StoppedThread& RemoteThread::state() const { return impl_->state; }
uint64_t RemoteThread::instruction() const { return impl_->registers.rip; }

Status RemoteThread::write(uint64_t address, std::span<const std::byte> bytes) const {
  const iovec from{const_cast<std::byte*>(bytes.data()), bytes.size()};
  const iovec to{reinterpret_cast<void*>(address), bytes.size()};
  if (::process_vm_writev(impl_->pid, &from, 1, &to, 1, 0) == static_cast<ssize_t>(bytes.size())) return {};
  return fail(ErrorCode::kMemory, fmt::format("cannot write to the memory of process {}", impl_->pid));
}

Result<int64_t> RemoteThread::system_call(uint64_t instruction, long number,
                                          std::initializer_list<uint64_t> arguments) {
  std::array<uint64_t, 6> values{};
  std::copy(arguments.begin(), arguments.end(), values.begin());
  user_regs_struct call = impl_->registers;
  call.rip = instruction;
  call.rax = static_cast<uint64_t>(number);
  call.orig_rax = UINT64_MAX;  // no system call of before is to be restarted
  call.rdi = values[0];
  call.rsi = values[1];
  call.rdx = values[2];
  call.r10 = values[3];
  call.r8 = values[4];
  call.r9 = values[5];
  Result<user_regs_struct> after = impl_->run(PTRACE_SINGLESTEP, call, kSystemCallPatience);
  if (!impl_->gone) impl_->restore();
  if (!after) return std::unexpected(std::move(after).error());
  return static_cast<int64_t>(after->rax);
}

Result<uint64_t> RemoteThread::call(uint64_t function, uint64_t trap, std::initializer_list<uint64_t> arguments,
                                    std::chrono::milliseconds patience) {
  std::array<uint64_t, 6> values{};
  std::copy(arguments.begin(), arguments.end(), values.begin());
  user_regs_struct call = impl_->registers;
  call.rsp = (call.rsp - kRedZone) / kStackAlignment * kStackAlignment - sizeof trap;
  if (::ptrace(PTRACE_POKEDATA, impl_->tid, call.rsp, trap) != 0) {
    if (errno == ESRCH) return std::unexpected(impl_->lost().error());
    return fail(ErrorCode::kFailed,
                fmt::format("the stack of thread {} of process {} is full", impl_->tid, impl_->pid));
  }
  call.rip = function;
  call.rax = 0;
  call.orig_rax = UINT64_MAX;
  call.rdi = values[0];
  call.rsi = values[1];
  call.rdx = values[2];
  call.rcx = values[3];
  call.r8 = values[4];
  call.r9 = values[5];
  call.eflags &= ~uint64_t{0x400};  // the direction flag, which functions expect to be clear
  Result<user_regs_struct> after = impl_->run(PTRACE_CONT, call, patience);
  if (!impl_->gone) impl_->restore();
  if (!after) return std::unexpected(std::move(after).error());
  if (after->rip != trap + 1)
    return fail(ErrorCode::kFailed,
                fmt::format("a trap of its own stopped thread {} of process {}", impl_->tid, impl_->pid));
  return after->rax;
}

}  // namespace pycroscope

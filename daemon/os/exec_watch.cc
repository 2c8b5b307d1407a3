#include "daemon/os/exec_watch.h"

#include <fmt/format.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <thread>
#include <utility>

#include "daemon/os/ptrace_failure.h"
#include "daemon/os/wait_status.h"

namespace pycroscope {
namespace {

constexpr long kBreakpoint = 0xcc, kByte = 0xff;  // int3
constexpr int kStopTries = 1000;

}  // namespace

Result<ExecWatch> ExecWatch::begin(pid_t pid) {
  if (::ptrace(PTRACE_SEIZE, pid, nullptr, PTRACE_O_TRACEEXEC) != 0) return std::unexpected(seize_failure(pid, pid));
  return ExecWatch(pid);
}

ExecWatch::ExecWatch(ExecWatch&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      stands_(other.stands_),
      breakpoints_(std::move(other.breakpoints_)),
      place_(other.place_) {}

ExecWatch::~ExecWatch() {
  if (pid_ == 0) return;
  if (!stands_) ::ptrace(PTRACE_INTERRUPT, pid_, nullptr, nullptr);
  for (int i = 0; i < kStopTries && !stands_; ++i) {
    const auto status = peek_wait_status(pid_);
    if (status && status->kind == WaitKind::kEnded) return;
    if (status && status->kind == WaitKind::kSignalDelivery) {
      ::ptrace(PTRACE_CONT, pid_, nullptr, static_cast<intptr_t>(status->signal));
      ::ptrace(PTRACE_INTERRUPT, pid_, nullptr, nullptr);
    }
    stands_ = status && status->kind == WaitKind::kTrapped;
    if (!stands_) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  clear_places();
  ::ptrace(PTRACE_DETACH, pid_, nullptr, nullptr);
}

std::optional<ExecWatch::Event> ExecWatch::poll() {
  while (!stands_) {
    const auto status = peek_wait_status(pid_);
    if (!status) return std::nullopt;
    if (status->kind == WaitKind::kEnded) {
      pid_ = 0;
      return Event::kEnded;
    }
    if (status->kind == WaitKind::kExecuted) {
      breakpoints_.clear();
      stands_ = true;
      return Event::kExecuted;
    }
    if (status->kind == WaitKind::kTrapped)
      ::ptrace(status->signal == 0 ? PTRACE_CONT : PTRACE_LISTEN, pid_, nullptr, nullptr);
    else if (const auto event = pass(status->signal))
      return event;
  }
  return std::nullopt;
}

std::optional<ExecWatch::Event> ExecWatch::pass(int signal) {
  user_regs_struct registers{};
  const bool is_trap = signal == SIGTRAP && ::ptrace(PTRACE_GETREGS, pid_, nullptr, &registers) == 0;
  if (!is_trap || std::ranges::find(breakpoints_, registers.rip - 1, &Breakpoint::place) == breakpoints_.end()) {
    ::ptrace(PTRACE_CONT, pid_, nullptr, static_cast<intptr_t>(signal));
    return std::nullopt;
  }
  place_ = --registers.rip;
  ::ptrace(PTRACE_SETREGS, pid_, nullptr, &registers);
  clear_places();
  stands_ = true;
  return Event::kArrived;
}

Status ExecWatch::set_place(uint64_t place) {
  errno = 0;
  const long word = ::ptrace(PTRACE_PEEKTEXT, pid_, place, nullptr);
  const bool is_read = errno == 0;
  if (!is_read || ::ptrace(PTRACE_POKETEXT, pid_, place, (word & ~kByte) | kBreakpoint) != 0)
    return fail(ErrorCode::kMemory, fmt::format("cannot stop process {} at a place in its code", pid_));
  breakpoints_.push_back({place, word & kByte});
  return {};
}

void ExecWatch::clear_places() {
  for (const Breakpoint& breakpoint : breakpoints_) {
    const long word = ::ptrace(PTRACE_PEEKTEXT, pid_, breakpoint.place, nullptr);
    ::ptrace(PTRACE_POKETEXT, pid_, breakpoint.place, (word & ~kByte) | breakpoint.byte);
  }
  breakpoints_.clear();
}

Status ExecWatch::go_on(std::initializer_list<uint64_t> places) {
  for (const uint64_t place : places) PYC_CHECK(set_place(place));
  stands_ = false;
  ::ptrace(PTRACE_CONT, pid_, nullptr, nullptr);
  return {};
}

Result<uint64_t> ExecWatch::return_address() const {
  user_regs_struct registers{};
  errno = 0;
  const bool is_read = ::ptrace(PTRACE_GETREGS, pid_, nullptr, &registers) == 0;
  const long word = is_read ? ::ptrace(PTRACE_PEEKDATA, pid_, registers.rsp, nullptr) : 0;
  if (errno != 0) return fail(ErrorCode::kMemory, fmt::format("cannot read the stack of process {}", pid_));
  return static_cast<uint64_t>(word);
}

Result<RemoteThread> ExecWatch::take() {
  clear_places();
  const pid_t pid = std::exchange(pid_, 0);
  return RemoteThread::adopt(pid, pid);
}

}  // namespace pycroscope

#include "client/cli/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

namespace pycroscope {
namespace {

constexpr int kPassedOn[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

sigset_t watched_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : kPassedOn) sigaddset(&set, signal);
  sigaddset(&set, SIGCHLD);
  return set;
}

// What the terminal sends, it sends to the child as well.
bool is_for_us_alone(const siginfo_t& info) { return info.si_code <= 0; }

// A recorder of ours may trace it: how it stands then is that one's to take notice of.
bool has_ended(pid_t pid) {
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0) return true;
  return info.si_pid == pid && (info.si_code == CLD_EXITED || info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED);
}

struct Pipe {
  Fd read, write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(ErrorCode::kFailed, fmt::format("no pipe: {}", std::strerror(errno)));
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

[[noreturn]] void execute(const std::vector<std::string>& command, const Fd& go, const Fd& failure,
                          const sigset_t& signals) {
  char byte = 0;
  if (::read(go.get(), &byte, 1) != 1) ::_exit(0);
  ::signal(SIGPIPE, SIG_DFL);
  ::pthread_sigmask(SIG_SETMASK, &signals, nullptr);
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  ::execvp(arguments[0], arguments.data());
  const int error = errno;
  static_cast<void>(!::write(failure.get(), &error, sizeof error));
  ::_exit(127);
}

}  // namespace

Result<std::unique_ptr<Child>> Child::start(std::vector<std::string> command) {
  PYC_TRY(Pipe go, make_pipe());
  PYC_TRY(Pipe failure, make_pipe());
  sigset_t before;
  const sigset_t watched = watched_signals();
  ::pthread_sigmask(SIG_BLOCK, &watched, &before);
  const pid_t pid = ::fork();
  if (pid < 0) return fail(ErrorCode::kFailed, fmt::format("cannot start a process: {}", std::strerror(errno)));
  if (pid == 0) {
    go.write.reset();
    execute(command, go.read, failure.write, before);
  }
  return std::unique_ptr<Child>(new Child(pid, std::move(go.write), std::move(failure.read)));
}

Child::~Child() {
  go_.reset();
  if (thread_.joinable()) thread_.join();
}

void Child::watch(std::function<void()> on_end) {
  thread_ = std::thread([this, on_end = std::move(on_end)] { serve_signals(on_end); });
}

void Child::serve_signals(const std::function<void()>& on_end) {
  const sigset_t watched = watched_signals();
  while (!has_ended(pid_)) {
    siginfo_t info;
    const int signal = ::sigwaitinfo(&watched, &info);
    if (signal > 0 && signal != SIGCHLD && is_for_us_alone(info)) ::kill(pid_, signal);
  }
  ::waitpid(pid_, &status_, 0);
  on_end();
}

int Child::release() {
  const char byte = 1;
  int error = 0;
  if (::write(go_.get(), &byte, 1) != 1) return errno;
  return ::read(failure_.get(), &error, sizeof error) == sizeof error ? error : 0;
}

int Child::wait() {
  if (thread_.joinable()) thread_.join();
  return WIFSIGNALED(status_) ? 128 + WTERMSIG(status_) : WEXITSTATUS(status_);
}

}  // namespace pycroscope

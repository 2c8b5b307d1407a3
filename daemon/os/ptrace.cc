#include "daemon/os/ptrace.h"

#include <dirent.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <map>
#include <semaphore>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

#include "daemon/os/ptrace_failure.h"
#include "daemon/os/wait_status.h"

namespace pycroscope {
namespace {

using std::chrono::steady_clock;

constexpr auto kGiveUp = std::chrono::seconds(1);
// A thread in an uninterruptible wait (a parent in vfork, a dead network disk) does not stop, but cannot run user code
// either.
constexpr auto kUninterruptible = std::chrono::milliseconds(20);

std::vector<pid_t> list_tasks(pid_t pid) {
  std::vector<pid_t> tids;
  const std::string path = "/proc/" + std::to_string(pid) + "/task";
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
  if (!directory) return tids;
  while (const dirent* entry = ::readdir(directory.get())) {
    pid_t tid = 0;
    const char* end = entry->d_name + std::strlen(entry->d_name);
    if (std::from_chars(entry->d_name, end, tid).ptr == end) tids.push_back(tid);
  }
  return tids;
}

StoppedThread read_registers(pid_t tid) {
  user_regs_struct registers{};
  if (::ptrace(PTRACE_GETREGS, tid, nullptr, &registers) != 0) return {.tid = tid};
  return decode_registers(tid, registers);
}

// The work of the tracing thread: ptrace requests are only taken from the thread that seized.
class ThreadGroup {
 public:
  explicit ThreadGroup(pid_t pid) : pid_(pid), give_up_(steady_clock::now() + kGiveUp) {}

  // Threads may be born until the last one is stopped, so the list is read until it holds nothing new.
  Status stop() {
    while (true) {
      PYC_TRY(const bool grown, seize_new());
      if (!grown) break;
      PYC_CHECK(await_stops());
    }
    if (tasks_.empty()) return fail(ErrorCode::kTargetGone, "process " + std::to_string(pid_) + " has ended");
    return {};
  }

  // Threads that never stopped are let go by the end of this thread.
  void resume() {
    for (const auto& [tid, task] : tasks_) {
      if (task.state == State::kStopped) ::ptrace(PTRACE_DETACH, tid, nullptr, static_cast<intptr_t>(task.signal));
    }
  }

  std::vector<StoppedThread> threads() const {
    std::vector<StoppedThread> threads;
    for (const auto& [tid, task] : tasks_) {
      threads.push_back(task.state == State::kStopped ? read_registers(tid) : StoppedThread{.tid = tid});
    }
    return threads;
  }

 private:
  enum class State { kRunning, kStopped, kHangs, kEnded };
  struct Task {
    State state = State::kRunning;
    int signal = 0;  // to be delivered when it goes on
  };

  Result<bool> seize_new() {
    bool grown = false;
    for (const pid_t tid : list_tasks(pid_)) {
      if (tasks_.contains(tid)) continue;
      if (::ptrace(PTRACE_SEIZE, tid, nullptr, nullptr) != 0) {
        Error failure = seize_failure(pid_, tid);
        if (failure.code == ErrorCode::kTargetGone) continue;
        return std::unexpected(std::move(failure));
      }
      ::ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr);
      tasks_[tid] = {};
      grown = true;
    }
    return grown;
  }

  Status await_stops() {
    const auto begin = steady_clock::now();
    for (auto& [tid, task] : tasks_) PYC_CHECK(await_stop(tid, task, begin));
    std::erase_if(tasks_, [](const auto& entry) { return entry.second.state == State::kEnded; });
    return {};
  }

  Status await_stop(pid_t tid, Task& task, steady_clock::time_point begin) {
    auto pause = std::chrono::microseconds(10);
    while (task.state == State::kRunning) {
      if (const auto status = peek_wait_status(tid)) {
        task = {status->kind == WaitKind::kEnded ? State::kEnded : State::kStopped, status->signal};
        break;
      }
      const auto now = steady_clock::now();
      if (now > give_up_) {
        return fail(ErrorCode::kFailed, "thread " + std::to_string(tid) + " of process " + std::to_string(pid_) +
                                            " did not stop within a second: try again");
      }
      if (now - begin > kUninterruptible && task_status(pid_, tid, "State").starts_with('D')) {
        task.state = State::kHangs;
        break;
      }
      std::this_thread::sleep_for(pause);
      pause = std::min(pause * 2, std::chrono::microseconds(500));
    }
    return {};
  }

  pid_t pid_;
  steady_clock::time_point give_up_;
  std::map<pid_t, Task> tasks_;
};

}  // namespace

struct ProcessStop::Tracer {
  Status status;
  std::vector<StoppedThread> threads;
  std::binary_semaphore stopped{0};
  std::binary_semaphore may_resume{0};
  std::thread thread;

  void run(pid_t pid) {
    ThreadGroup group(pid);
    status = group.stop();
    threads = group.threads();
    stopped.release();
    if (status) may_resume.acquire();
    group.resume();
  }
};

Result<ProcessStop> ProcessStop::stop(pid_t pid) {
  auto tracer = std::make_unique<Tracer>();
  try {
    tracer->thread = std::thread([t = tracer.get(), pid] { t->run(pid); });
  } catch (const std::system_error& error) {
    return fail(ErrorCode::kFailed, std::string("cannot start a thread: ") + error.what());
  }
  tracer->stopped.acquire();
  if (tracer->status) return ProcessStop(std::move(tracer));
  tracer->thread.join();
  return std::unexpected(tracer->status.error());
}

ProcessStop::ProcessStop(std::unique_ptr<Tracer> tracer) : tracer_(std::move(tracer)) {}
ProcessStop::ProcessStop(ProcessStop&&) noexcept = default;

ProcessStop& ProcessStop::operator=(ProcessStop&& other) noexcept {
  if (this != &other) {
    resume();
    tracer_ = std::move(other.tracer_);
  }
  return *this;
}

ProcessStop::~ProcessStop() { resume(); }

const std::vector<StoppedThread>& ProcessStop::threads() const { return tracer_->threads; }

void ProcessStop::resume() {
  if (!tracer_ || !tracer_->thread.joinable()) return;
  tracer_->may_resume.release();
  // Its end also lets go of threads that never came to a stop.
  tracer_->thread.join();
}

}  // namespace pycroscope

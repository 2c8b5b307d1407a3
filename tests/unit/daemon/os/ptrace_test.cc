#include "daemon/os/ptrace.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <functional>
#include <new>
#include <string>
#include <thread>
#include <vector>

namespace pycroscope {
namespace {

// What a child process and its test tell each other.
struct Shared {
  std::atomic<uint64_t> counter{0};
  std::atomic<uint64_t> signals{0};
  std::atomic<uint64_t> errors{0};
  std::atomic<bool> ready{false};
};

Shared* new_shared() {
  void* page = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return new (page) Shared;
}

// Runs `body` in a child of its own and kills it in the end.
class Child {
 public:
  explicit Child(const std::function<void()>& body) : pid_(::fork()) {
    if (pid_ == 0) {
      body();
      ::_exit(0);
    }
  }
  Child(const Child&) = delete;
  ~Child() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

char state_of(pid_t tid) {
  std::ifstream stat("/proc/" + std::to_string(tid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(stat)), {});
  const size_t name_end = text.rfind(')');
  return name_end == std::string::npos ? '?' : text[name_end + 2];
}

void wait_until(const std::function<bool()>& done) {
  while (!done()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

Shared* g_shared = nullptr;  // for the handler of a child

TEST(ProcessStop, StopsEveryThreadAndLetsThemGo) {
  Shared* shared = new_shared();
  const Child child([&] {
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&] {
        while (true) shared->counter.fetch_add(1);
      });
    }
    shared->ready = true;
    while (true) ::pause();
  });
  wait_until([&] { return shared->ready && shared->counter > 1000; });

  for (int round = 0; round < 20; ++round) {
    auto stop = ProcessStop::stop(child.pid());
    ASSERT_TRUE(stop) << stop.error().message;
    EXPECT_EQ(stop->threads().size(), 4u);
    const uint64_t before = shared->counter;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    EXPECT_EQ(shared->counter, before);
    stop->resume();
    wait_until([&] { return shared->counter > before; });
  }
}

TEST(ProcessStop, CatchesThreadsThatAreBornMeanwhile) {
  Shared* shared = new_shared();
  const Child child([&] {
    shared->ready = true;
    while (true) {
      std::vector<std::thread> threads;
      for (int i = 0; i < 8; ++i) threads.emplace_back([&] { shared->counter.fetch_add(1); });
      for (auto& thread : threads) thread.join();
    }
  });
  wait_until([&] { return shared->counter > 100; });
  for (int round = 0; round < 100; ++round) {
    auto stop = ProcessStop::stop(child.pid());
    ASSERT_TRUE(stop) << stop.error().message;
    const uint64_t before = shared->counter;
    std::this_thread::sleep_for(std::chrono::microseconds(300));
    ASSERT_EQ(shared->counter, before);
  }
  const uint64_t before = shared->counter;
  wait_until([&] { return shared->counter > before + 100; });
}

TEST(ProcessStop, LosesNoSignal) {
  Shared* shared = new_shared();
  const Child child([&] {
    g_shared = shared;
    struct sigaction action{};
    action.sa_handler = [](int) { g_shared->signals.fetch_add(1); };
    ::sigaction(SIGUSR1, &action, nullptr);
    shared->ready = true;
    while (true) shared->counter.fetch_add(1);
  });
  wait_until([&] { return shared->ready && shared->counter > 0; });
  for (uint64_t round = 1; round <= 200; ++round) {
    // In turn: pending when the stop comes, and arriving during it.
    if (round % 2 == 0) ::kill(child.pid(), SIGUSR1);
    auto stop = ProcessStop::stop(child.pid());
    ASSERT_TRUE(stop) << stop.error().message;
    if (round % 2 == 1) ::kill(child.pid(), SIGUSR1);
    stop->resume();
    wait_until([&] { return shared->signals == round; });
  }
}

TEST(ProcessStop, BlockedSystemCallsGoOn) {
  Shared* shared = new_shared();
  int pipe_fds[2];
  ASSERT_EQ(::pipe(pipe_fds), 0);
  const Child child([&] {
    char byte = 0;
    shared->ready = true;
    while (true) {
      if (::read(pipe_fds[0], &byte, 1) == 1) {
        shared->counter.fetch_add(1);
      } else {
        shared->errors.fetch_add(1);
      }
      const timespec pause{0, 1'000'000};
      if (::nanosleep(&pause, nullptr) != 0) shared->errors.fetch_add(1);
    }
  });
  wait_until([&] { return shared->ready.load(); });
  for (uint64_t round = 1; round <= 100; ++round) {
    ASSERT_TRUE(ProcessStop::stop(child.pid()));
    ASSERT_EQ(::write(pipe_fds[1], "x", 1), 1);
    ASSERT_TRUE(ProcessStop::stop(child.pid()));
    wait_until([&] { return shared->counter == round || shared->errors > 0; });
  }
  EXPECT_EQ(shared->errors, 0u);
  ::close(pipe_fds[0]);
  ::close(pipe_fds[1]);
}

TEST(ProcessStop, TellsWaitingFromRunning) {
  Shared* shared = new_shared();
  const Child child([&] {
    std::thread spinner([&] {
      while (true) shared->counter.fetch_add(1);
    });
    std::thread caller([] {
      while (true) ::getppid();
    });
    shared->signals = ::pthread_self();
    shared->ready = true;
    while (true) ::pause();
  });
  wait_until([&] { return shared->ready && shared->counter > 1000 && state_of(child.pid()) == 'S'; });
  for (int round = 0; round < 20; ++round) {
    auto stop = ProcessStop::stop(child.pid());
    ASSERT_TRUE(stop) << stop.error().message;
    ASSERT_EQ(stop->threads().size(), 3u);
    const StoppedThread& main = stop->threads()[0];
    EXPECT_EQ(main.tid, child.pid());
    EXPECT_EQ(main.thread_pointer, shared->signals);
    ASSERT_TRUE(main.blocked_in);
    EXPECT_EQ(main.blocked_in->number, SYS_pause);
    EXPECT_FALSE(stop->threads()[1].blocked_in);
    EXPECT_FALSE(stop->threads()[2].blocked_in);
  }
}

TEST(ProcessStop, LeavesAStoppedProcessStopped) {
  const Child child([] {
    while (true) ::pause();
  });
  ::kill(child.pid(), SIGSTOP);
  wait_until([&] { return state_of(child.pid()) == 'T'; });
  for (int round = 0; round < 10; ++round) ASSERT_TRUE(ProcessStop::stop(child.pid()));
  wait_until([&] { return state_of(child.pid()) == 'T'; });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(state_of(child.pid()), 'T');
  ::kill(child.pid(), SIGCONT);
  wait_until([&] { return state_of(child.pid()) == 'S'; });
}

TEST(ProcessStop, SeesAStopSignalThatComesMeanwhile) {
  const Child child([] {
    while (true) ::pause();
  });
  {
    auto stop = ProcessStop::stop(child.pid());
    ASSERT_TRUE(stop) << stop.error().message;
    ::kill(child.pid(), SIGSTOP);
  }
  wait_until([&] { return state_of(child.pid()) == 'T'; });
  ::kill(child.pid(), SIGCONT);
  wait_until([&] { return state_of(child.pid()) == 'S'; });
}

TEST(ProcessStop, NamesTheTracerThatIsThere) {
  const Child target([] {
    while (true) ::pause();
  });
  Shared* shared = new_shared();
  const Child tracer([&] {
    if (::ptrace(PTRACE_SEIZE, target.pid(), nullptr, nullptr) == 0) shared->ready = true;
    while (true) ::pause();
  });
  wait_until([&] { return shared->ready.load(); });
  const auto stop = ProcessStop::stop(target.pid());
  ASSERT_FALSE(stop);
  EXPECT_EQ(stop.error().code, ErrorCode::kFailed);
  EXPECT_NE(stop.error().message.find("traced by process " + std::to_string(tracer.pid())), std::string::npos)
      << stop.error().message;
  wait_until([&] { return state_of(target.pid()) == 'S'; });
}

TEST(ProcessStop, SaysThatTheProcessIsGone) {
  pid_t pid = 0;
  {
    const Child child([] {});
    pid = child.pid();
    // A zombie until its parent waits.
    wait_until([&] { return state_of(pid) == 'Z'; });
    const auto zombie = ProcessStop::stop(pid);
    ASSERT_FALSE(zombie);
    EXPECT_EQ(zombie.error().code, ErrorCode::kTargetGone);
  }
  const auto gone = ProcessStop::stop(pid);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, ErrorCode::kTargetGone);
}

TEST(ProcessStop, RefusesSomebodyElsesProcess) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become somebody else";
  Shared* shared = new_shared();
  const Child target([] {
    while (true) ::pause();
  });
  const Child other([&] {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(1);
    const auto stop = ProcessStop::stop(target.pid());
    if (!stop && stop.error().code == ErrorCode::kNotPermitted) shared->counter = 1;
    shared->ready = true;
  });
  wait_until([&] { return shared->ready.load(); });
  EXPECT_EQ(shared->counter, 1u);
  EXPECT_EQ(state_of(target.pid()), 'S');
}

// A parent in vfork() waits where no signal reaches it until its child has called exec.
TEST(ProcessStop, TakesAThreadThatHangsInTheKernelAsStopped) {
  int pipe_fds[2];
  ASSERT_EQ(::pipe(pipe_fds), 0);
  const Child child([&] {
    if (const pid_t inner = ::vfork(); inner == 0) {
      char byte = 0;
      (void)!::read(pipe_fds[0], &byte, 1);
      ::_exit(0);
    }
    while (true) ::pause();
  });
  wait_until([&] { return state_of(child.pid()) == 'D'; });
  {
    auto stop = ProcessStop::stop(child.pid());
    ASSERT_TRUE(stop) << stop.error().message;
    EXPECT_EQ(stop->threads().size(), 1u);
  }
  ASSERT_EQ(::write(pipe_fds[1], "x", 1), 1);
  wait_until([&] { return state_of(child.pid()) == 'S'; });
  ::close(pipe_fds[0]);
  ::close(pipe_fds[1]);
}

TEST(ProcessStop, LeavesAChildsEndToItsParent) {
  const Child child([] {
    while (true) ::pause();
  });
  auto stop = ProcessStop::stop(child.pid());
  ASSERT_TRUE(stop) << stop.error().message;
  ::kill(child.pid(), SIGTERM);
  stop->resume();
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child.pid()), &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(info.si_code, CLD_KILLED);
  EXPECT_EQ(info.si_status, SIGTERM);
}

}  // namespace
}  // namespace pycroscope

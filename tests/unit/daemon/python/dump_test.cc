#include "daemon/python/dump.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/support/python_target.h"

namespace pycroscope {
namespace {

using testing::ElementsAre;

class DumpTest : public test::OnPython {
 protected:
  static v1::DumpResponse dump(const test::PythonTarget& target, bool locals = false) {
    const auto process = Process::open(target.pid());
    EXPECT_TRUE(process) << process.error().message;
    auto response = dump_stacks(*process, {.locals = locals});
    EXPECT_TRUE(response) << response.error().message;
    return response ? *std::move(response) : v1::DumpResponse();
  }

  // Dumps until `good` says yes; the last one when it never does.
  template <class Good>
  static v1::DumpResponse dump_until(const test::PythonTarget& target, Good good, bool locals = false) {
    v1::DumpResponse response = dump(target, locals);
    for (int i = 0; i < 2000 && !good(response); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      response = dump(target, locals);
    }
    return response;
  }

  // A program that says "ready" may take a moment until it waits for its input.
  static v1::DumpResponse dump_waiting(const test::PythonTarget& target, bool locals = false) {
    return dump_until(
        target, [](const v1::DumpResponse& r) { return r.threads_size() > 0 && r.threads(0).state() == "waiting"; },
        locals);
  }
};

// "function:line" of each frame.
std::vector<std::string> places(const v1::ThreadDump& thread) {
  std::vector<std::string> result;
  for (const v1::FrameDump& frame : thread.frames()) {
    result.push_back(frame.function() + ":" + std::to_string(frame.line()));
  }
  return result;
}

bool is_before_311(const v1::DumpResponse& response) {
  int minor = 0;
  EXPECT_EQ(std::sscanf(response.python().c_str(), "3.%d.", &minor), 1) << response.python();
  return minor < 11;
}

// What a dump calls the function `qualname`: code objects have qualified names since 3.11.
std::string named(const v1::DumpResponse& response, const std::string& qualname) {
  return is_before_311(response) ? qualname.substr(qualname.rfind('.') + 1) : qualname;
}

std::map<std::string, const v1::ThreadDump*> by_name(const v1::DumpResponse& response) {
  std::map<std::string, const v1::ThreadDump*> threads;
  for (const v1::ThreadDump& thread : response.threads()) threads[thread.name()] = &thread;
  return threads;
}

char state_of(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  const std::string text((std::istreambuf_iterator<char>(stat)), {});
  return text.at(text.rfind(')') + 2);
}

TEST_P(DumpTest, ShowsFunctionsGeneratorsAndCoroutines) {
  test::PythonTarget target(GetParam(), R"(import sys
def generator(n):
    for i in range(n):
        print("ready", flush=True)
        sys.stdin.readline()
        yield i
class Thing:
    async def method(self):
        return (
            sum(generator(3))
        )
async def coroutine(thing):
    await thing.method()
def start():
    run = lambda c: c.send(None)
    run(coroutine(Thing()))
start()
)");
  ASSERT_TRUE(target.wait_until_ready());
  const v1::DumpResponse response = dump_waiting(target);
  EXPECT_EQ(response.pid(), target.pid());
  EXPECT_TRUE(response.python().starts_with("3.")) << response.python();
  EXPECT_GT(response.stopped_ns(), 0);
  ASSERT_EQ(response.threads_size(), 1);
  const v1::ThreadDump& thread = response.threads(0);
  EXPECT_EQ(thread.tid(), target.pid());
  EXPECT_EQ(thread.name(), "MainThread");
  EXPECT_EQ(thread.state(), "waiting");
  EXPECT_EQ(thread.interpreter(), 0);
  EXPECT_FALSE(thread.holds_gil());
  EXPECT_FALSE(thread.truncated());
  EXPECT_THAT(places(thread),
              ElementsAre("generator:5", named(response, "Thing.method") + ":10", "coroutine:13",
                          named(response, "start.<locals>.<lambda>") + ":15", "start:16", "<module>:17"));
  EXPECT_EQ(thread.frames(0).file(), "<string>");
}

TEST_P(DumpTest, ShowsVeryDeepStacks) {
  test::PythonTarget target(GetParam(), R"(import sys
sys.setrecursionlimit(30000)
def down(n):
    if n == 0:
        print("ready", flush=True)
        return sys.stdin.readline()
    return down(n - 1)
down(10000)
)");
  ASSERT_TRUE(target.wait_until_ready());
  const v1::DumpResponse response = dump_waiting(target, true);
  ASSERT_EQ(response.threads_size(), 1);
  const v1::ThreadDump& thread = response.threads(0);
  ASSERT_EQ(thread.frames_size(), 10002);
  EXPECT_FALSE(thread.truncated());
  EXPECT_EQ(thread.frames(0).line(), 6u);
  EXPECT_EQ(thread.frames(10000).line(), 7u);
  EXPECT_EQ(thread.frames(10001).function(), "<module>");
  ASSERT_EQ(thread.frames(1234).locals_size(), 1);
  EXPECT_EQ(thread.frames(1234).locals(0).text(), "1234");
}

TEST_P(DumpTest, ListsLocalsInTheirOrder) {
  test::PythonTarget target(GetParam(), R"(import sys
def outer(first, captured, *rest, keyword=4, **options):
    free = "free"
    def inner(argument):
        nonlocal captured
        captured += 1
        gone = 1
        del gone
        text = free
        print("ready", flush=True)
        sys.stdin.readline()
        later = captured
    inner([first])
    never = 1
outer(1, 2, 3, other=5)
)");
  ASSERT_TRUE(target.wait_until_ready());
  const v1::DumpResponse response = dump_waiting(target, true);
  const v1::ThreadDump& thread = response.threads(0);
  ASSERT_EQ(thread.frames_size(), 3);
  const auto locals = [&](int frame) {
    std::vector<std::string> result;
    for (const v1::Local& local : thread.frames(frame).locals()) result.push_back(local.name() + "=" + local.text());
    return result;
  };
  EXPECT_THAT(locals(0), ElementsAre("argument=[1]", "text='free'", "captured=3", "free='free'"));
  const auto inner = testing::StartsWith("inner=<function at 0x");
  if (is_before_311(response)) {
    EXPECT_THAT(locals(1), ElementsAre("first=1", "keyword=4", "rest=(3,)", "options={'other': 5}", inner, "captured=3",
                                       "free='free'"));
  } else {
    EXPECT_THAT(locals(1), ElementsAre("first=1", "captured=3", "keyword=4", "rest=(3,)", "options={'other': 5}", inner,
                                       "free='free'"));
  }
  EXPECT_THAT(locals(2), ElementsAre());
}

TEST_P(DumpTest, SaysWhatThreadsWaitFor) {
  test::PythonTarget target(GetParam(), R"(import sys, threading, time
lock = threading.Lock()
lock.acquire()
def wait_for_lock(): lock.acquire()
def sleep(): time.sleep(1000)
def spin():
    while True: pass
for function in wait_for_lock, sleep:
    threading.Thread(target=function, name=function.__name__, daemon=True).start()
for i in range(3):
    threading.Thread(target=spin, name=f"spin {i}", daemon=True).start()
has_gil = getattr(sys, "_is_gil_enabled", lambda: True)()
print("with a GIL" if has_gil else "without", flush=True)
sys.stdin.readline()
)");
  const int spinners_that_wait = target.read_line() == "with a GIL" ? 2 : 0;
  const auto threads_of_state = [](const v1::DumpResponse& response, const std::string& state) {
    return std::ranges::count_if(response.threads(), [&](const v1::ThreadDump& t) { return t.state() == state; });
  };
  const auto holders = [](const v1::DumpResponse& response) {
    return std::ranges::count_if(response.threads(), [](const v1::ThreadDump& t) { return t.holds_gil(); });
  };
  // For a moment nobody holds the GIL: when one thread hands it to another.
  const v1::DumpResponse response = dump_until(target, [&](const v1::DumpResponse& r) {
    return threads_of_state(r, "waiting") == 3 && threads_of_state(r, "gil") == spinners_that_wait &&
           holders(r) == (spinners_that_wait > 0);
  });
  const auto threads = by_name(response);
  ASSERT_EQ(threads.size(), 6u);
  for (const char* name : {"MainThread", "wait_for_lock", "sleep"}) {
    EXPECT_EQ(threads.at(name)->state(), "waiting") << name;
    EXPECT_FALSE(threads.at(name)->holds_gil()) << name;
  }
  for (const char* name : {"spin 0", "spin 1", "spin 2"}) {
    const v1::ThreadDump& spinner = *threads.at(name);
    EXPECT_EQ(spinner.frames(0).function(), "spin");
    EXPECT_EQ(spinner.state(), spinner.holds_gil() || spinners_that_wait == 0 ? "running" : "gil");
  }
  EXPECT_EQ(threads_of_state(response, "gil"), spinners_that_wait);
  EXPECT_EQ(holders(response), spinners_that_wait > 0);
}

TEST_P(DumpTest, LetsSystemCallsAndSignalsBe) {
  test::PythonTarget target(GetParam(), R"(import os, signal, sys, threading, time
signals, bytes_read, short = 0, 0, 0
def on_signal(number, frame):
    global signals
    signals += 1
    print("signal", flush=True)
signal.signal(signal.SIGUSR1, on_signal)
reading, writing = os.pipe()
stop = threading.Event()
def read():
    global bytes_read
    while data := os.read(reading, 10): bytes_read += len(data)
def sleep():
    global short
    while not stop.is_set():
        begin = time.monotonic()
        time.sleep(0.02)
        short += time.monotonic() - begin < 0.02
threads = [threading.Thread(target=f) for f in (read, sleep)]
for thread in threads: thread.start()
print("ready", flush=True)
for line in sys.stdin:
    if line == "stop\n": break
    os.write(writing, b"x")
os.close(writing)
stop.set()
for thread in threads: thread.join()
print(signals, bytes_read, short, flush=True)
)");
  ASSERT_TRUE(target.wait_until_ready());
  for (int i = 0; i < 200; ++i) {
    if (i % 2 == 0) ::kill(target.pid(), SIGUSR1);
    EXPECT_EQ(dump(target).threads_size(), 3);
    ASSERT_TRUE(target.write_line("go"));
    // One at a time: neither the kernel nor Python counts one twice that is pending already.
    if (i % 2 == 0) {
      EXPECT_EQ(target.read_line(), "signal");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  ASSERT_TRUE(target.write_line("stop"));
  EXPECT_EQ(target.read_line(), "100 200 0");
}

TEST_P(DumpTest, LeavesAStoppedProcessStopped) {
  test::PythonTarget target(GetParam(), R"(import sys
print("ready", flush=True)
print(sys.stdin.readline().strip(), flush=True)
)");
  ASSERT_TRUE(target.wait_until_ready());
  ::kill(target.pid(), SIGSTOP);
  while (state_of(target.pid()) != 'T') std::this_thread::yield();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(dump(target).threads(0).frames_size(), 1);
  while (state_of(target.pid()) != 'T') std::this_thread::yield();
  ::kill(target.pid(), SIGCONT);
  ASSERT_TRUE(target.write_line("still here"));
  EXPECT_EQ(target.read_line(), "still here");
}

TEST_P(DumpTest, FindsTheThreadOfAForkedChild) {
  test::PythonTarget target(GetParam(), R"(import os, sys, time
def child():
    time.sleep(1000)
pid = os.fork()
if pid == 0: child()
print(pid, flush=True)
sys.stdin.readline()
os.kill(pid, 9)
os.waitpid(pid, 0)
print("done", flush=True)
)");
  const pid_t child = std::stoi(target.read_line());
  const auto process = Process::open(child);
  ASSERT_TRUE(process) << process.error().message;
  auto response = dump_stacks(*process, {});
  for (int i = 0; i < 1000 && response && response->threads(0).frames(0).function() != "child"; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    response = dump_stacks(*process, {});
  }
  ASSERT_TRUE(response) << response.error().message;
  ASSERT_EQ(response->threads_size(), 1);
  EXPECT_EQ(response->threads(0).tid(), child);
  EXPECT_THAT(places(response->threads(0)), ElementsAre("child:3", "<module>:5"));
  ASSERT_TRUE(target.write_line(""));
  EXPECT_EQ(target.read_line(), "done");
}

TEST_P(DumpTest, KnowsSubinterpreters) {
  test::PythonTarget target(GetParam(), R"(import sys
try:
    import _xxsubinterpreters as interpreters
except ImportError:
    import _interpreters as interpreters
run = getattr(interpreters, "run_string", None) or interpreters.exec
run(interpreters.create(), '''
def inside():
    import sys
    print("ready", flush=True)
    sys.stdin.readline()
inside()
''')
)");
  ASSERT_TRUE(target.wait_until_ready());
  const v1::DumpResponse response = dump_waiting(target);
  std::map<int64_t, std::vector<std::string>> stacks;
  for (const v1::ThreadDump& thread : response.threads()) {
    EXPECT_EQ(thread.tid(), target.pid());
    stacks[thread.interpreter()] = places(thread);
  }
  ASSERT_EQ(stacks.size(), 2u);
  EXPECT_THAT(stacks.at(0), ElementsAre("<module>:7"));
  EXPECT_THAT(stacks.rbegin()->second, ElementsAre("inside:5", "<module>:6"));
}

PYC_ON_EVERY_PYTHON(DumpTest);

TEST(Dump, SaysThatItIsNotPython) {
  test::PythonTarget shell({"", "/bin/sh", ""}, "echo ready; read line");
  ASSERT_TRUE(shell.wait_until_ready());
  const auto process = Process::open(shell.pid());
  ASSERT_TRUE(process) << process.error().message;
  const auto response = dump_stacks(*process, {});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kFailed);
  EXPECT_THAT(response.error().message, testing::HasSubstr("is not a Python process"));
}

}  // namespace
}  // namespace pycroscope

#include "daemon/python/thread_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>
#include <string>

#include "daemon/target/live_memory.h"
#include "tests/unit/support/python_target.h"

namespace pycroscope {
namespace {

class ThreadNamesTest : public test::OnPython {
 protected:
  // Finds the runtime of `target`; call it once.
  void look_at(const test::PythonTarget& target) {
    memory_.emplace(target.pid());
    const auto process = Process::open(target.pid());
    ASSERT_TRUE(process) << process.error().message;
    auto python = find_python(*process, *memory_);
    ASSERT_TRUE(python) << python.error().message;
    python_ = *std::move(python);
    reader_.emplace(*memory_, python_);
  }

  ThreadNames read() {
    auto names = reader_->read();
    EXPECT_TRUE(names) << names.error().message;
    return names ? *std::move(names) : ThreadNames();
  }

  std::optional<LiveMemory> memory_;
  PythonRuntime python_;
  std::optional<ThreadNameReader> reader_;
};

// "IDENT NAME" of each thread as the target prints them.
ThreadNames parse(const std::string& line) {
  ThreadNames names;
  std::istringstream fields(line);
  for (std::string field; std::getline(fields, field, ';');) {
    const size_t blank = field.find(' ');
    names[std::stoull(field.substr(0, blank))] = field.substr(blank + 1);
  }
  return names;
}

TEST_P(ThreadNamesTest, FollowsThreadsThatComeGoAndAreRenamed) {
  test::PythonTarget target(GetParam(), R"(import sys, threading
class Named(threading.Thread):
    def __init__(self, name):
        super().__init__(name=name, daemon=True)
        self.extra = 1
        self.end = threading.Event()
    def run(self): self.end.wait()
def show(): print(";".join(f"{t.ident} {t.name}" for t in threading.enumerate()), flush=True)
threads = [threading.Thread(target=threading.Event().wait, daemon=True) for i in range(50)]
threads += [Named(f"worker \u00e9\u4e2d {i}") for i in range(50)]
for thread in threads: thread.start()
show()
sys.stdin.readline()
for thread in threads[50:60]:
    thread.end.set()
    thread.join()
for thread in threads[:10]: thread.name = "renamed " + thread.name
for thread in threads[90:]: thread.__dict__["a key"] = 1
show()
sys.stdin.readline()
)");
  const ThreadNames first = parse(target.read_line());
  ASSERT_EQ(first.size(), 101u);
  ASSERT_NO_FATAL_FAILURE(look_at(target));
  EXPECT_EQ(read(), first);
  EXPECT_EQ(read(), first);
  ASSERT_TRUE(target.write_line(""));
  const ThreadNames second = parse(target.read_line());
  ASSERT_EQ(second.size(), 91u);
  EXPECT_EQ(read(), second);
}

TEST_P(ThreadNamesTest, KnowsTheMainThreadWithoutThreading) {
  test::PythonTarget target(GetParam(), R"(import sys
print("threading" in sys.modules, flush=True)
sys.stdin.readline()
import _thread, threading
print(threading.get_ident(), flush=True)
threading.current_thread().name = "boss"
print("ready", flush=True)
sys.stdin.readline()
)");
  if (target.read_line() == "True") GTEST_SKIP() << "this interpreter imports threading when it starts";
  ASSERT_NO_FATAL_FAILURE(look_at(target));
  const ThreadNames before = read();
  ASSERT_TRUE(target.write_line(""));
  const uint64_t ident = std::stoull(target.read_line());
  ASSERT_TRUE(target.wait_until_ready());
  EXPECT_EQ(before, ThreadNames({{ident, "MainThread"}}));
  EXPECT_EQ(read(), ThreadNames({{ident, "boss"}}));
}

// The target adds, renames and removes threads all the time: names may be missing, but never wrong.
TEST_P(ThreadNamesTest, NeverGivesAWrongName) {
  test::PythonTarget target(GetParam(), R"(import threading, time
def work(): time.sleep(0.001)  # or they would be gone before the next one starts, where there is no GIL
print("ready", flush=True)
while True:
    threads = [threading.Thread(target=work, name=f"good {i}") for i in range(20)]
    for thread in threads: thread.start()
    for i, thread in enumerate(threads): thread.name = f"good again {i}"
    for thread in threads: thread.join()
)");
  ASSERT_TRUE(target.wait_until_ready());
  ASSERT_NO_FATAL_FAILURE(look_at(target));
  size_t seen = 0;
  for (int i = 0; i < 20000; ++i) {
    const auto names = reader_->read();
    if (!names) continue;
    for (const auto& [ident, name] : *names) {
      ASSERT_TRUE(name.starts_with("good ") || name == "MainThread") << name;
      seen += name.starts_with("good ");
    }
  }
  EXPECT_GT(seen, 0u);
}

PYC_ON_EVERY_PYTHON(ThreadNamesTest);

}  // namespace
}  // namespace pycroscope

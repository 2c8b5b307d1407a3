#include "daemon/python/interpreter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "daemon/python/frames.h"
#include "daemon/target/live_memory.h"
#include "tests/unit/support/python_target.h"
#include "tests/unit/support/temporary_directory.h"

namespace pycroscope {
namespace {

using testing::HasSubstr;

constexpr const char* kWaits = "import sys; print(sys.version.split()[0], flush=True); sys.stdin.readline()";

Result<PythonRuntime> find(pid_t pid) {
  PYC_TRY(const Process process, Process::open(pid));
  return find_python(process, LiveMemory(pid));
}

class InterpreterTest : public test::OnPython {};

TEST_P(InterpreterTest, IsFound) {
  test::PythonTarget target(GetParam(), kWaits);
  const std::string version = target.read_line();
  const auto python = find(target.pid());
  ASSERT_TRUE(python) << python.error().message;
  EXPECT_EQ(python->version, version);
  EXPECT_TRUE(python->code_type);
  const auto process = Process::open(target.pid());
  ASSERT_TRUE(process);
  const auto listed = python_version(*process, LiveMemory(target.pid()));
  ASSERT_TRUE(listed) << listed.error().message;
  EXPECT_EQ(listed->text, version);
  EXPECT_EQ(listed->caution, "");
}

TEST_P(InterpreterTest, IsFoundWithFewReads) {
  // What is looked at must not grow with what is loaded.
  class Counting final : public TargetMemory {
   public:
    explicit Counting(pid_t pid) : memory_(pid) {}
    Status read_bytes(RemoteAddress address, std::span<std::byte> out) const override {
      ++reads_;
      return memory_.read_bytes(address, out);
    }
    int reads() const { return reads_; }

   private:
    LiveMemory memory_;
    mutable int reads_ = 0;
  };
  test::PythonTarget target(GetParam(), R"(
import sys
for name in "sqlite3", "ssl", "ctypes", "decimal", "lzma", "bz2", "curses", "socket", "json":
    try: __import__(name)
    except ImportError: pass  # not built
print("ready", flush=True)
sys.stdin.readline()
)");
  ASSERT_TRUE(target.wait_until_ready());
  const auto process = Process::open(target.pid());
  ASSERT_TRUE(process);
  const Counting memory(target.pid());
  ASSERT_TRUE(find_python(*process, memory));
  EXPECT_LT(memory.reads(), 60);
}

TEST_P(InterpreterTest, IsWaitedForWhileItStarts) {
  test::PythonTarget target(GetParam(), kWaits);
  const auto python = find(target.pid());  // the child has hardly called exec
  EXPECT_TRUE(python) << python.error().message;
}

TEST_P(InterpreterTest, SaysThatItIsEnding) {
  test::PythonTarget target(GetParam(), R"(
import os
class Last:
    def __del__(self, write=os.write, read=os.read):
        write(1, b"ready\n")
        read(0, 1)
last = Last()
)");
  ASSERT_TRUE(target.wait_until_ready());
  const auto python = find(target.pid());
  ASSERT_FALSE(python);
  EXPECT_EQ(python.error().code, ErrorCode::kFailed);
  EXPECT_THAT(python.error().message, HasSubstr("is already shutting its interpreter down"));
}

TEST_P(InterpreterTest, WalkHasAllThreadsAndObeysItsLimit) {
  test::PythonTarget target(GetParam(), R"(
import sys, threading
def recurse(n):
    if n: return recurse(n - 1)
    print("ready", flush=True)
    sys.stdin.readline()
stop = threading.Event()
threading.Thread(target=stop.wait, daemon=True).start()
recurse(50)
)");
  ASSERT_TRUE(target.wait_until_ready());
  const auto python = find(target.pid());
  ASSERT_TRUE(python) << python.error().message;
  for (const size_t limit : {1000u, 52u, 51u}) {
    const auto threads = walk_threads(LiveMemory(target.pid()), *python, limit);
    ASSERT_TRUE(threads) << threads.error().message;
    ASSERT_EQ(threads->size(), 2u);
    const PythonThread& main = threads->back();
    EXPECT_EQ(main.frames.size(), std::min<size_t>(limit, 52));
    EXPECT_EQ(main.truncated, limit < 52);
    EXPECT_EQ(main.interpreter, 0);
    const bool knows_native_id = python->layout.thread_native_id != PYC_NO_OFFSET;
    EXPECT_EQ(main.native_id, knows_native_id ? static_cast<uint64_t>(target.pid()) : 0);
  }
}

PYC_ON_EVERY_PYTHON(InterpreterTest);

TEST(Interpreter, IsFoundWhenItsFileIsReplacedOrDeleted) {
  const test::TestPython debian = test::test_pythons().front();
  if (!debian.is_there()) GTEST_SKIP() << debian.executable << " is not there";
  for (const bool replaced : {false, true}) {
    const test::TemporaryDirectory directory;
    const std::string copy = directory / "python3.11";
    std::filesystem::copy_file(debian.executable, copy);
    test::PythonTarget target({"copy", copy, ""}, kWaits);
    const std::string version = target.read_line();
    std::filesystem::remove(copy);
    if (replaced) std::ofstream(copy) << "something else";
    const auto python = find(target.pid());
    ASSERT_TRUE(python) << python.error().message;
    EXPECT_EQ(python->version, version);
    EXPECT_EQ(python->runtime_module, copy);
  }
}

TEST(Interpreter, SaysThatItIsNotPython) {
  test::PythonTarget shell({"", "/bin/sh", ""}, "echo ready; read line");
  ASSERT_TRUE(shell.wait_until_ready());
  const auto python = find(shell.pid());
  ASSERT_FALSE(python);
  EXPECT_EQ(python.error().code, ErrorCode::kFailed);
  EXPECT_THAT(python.error().message, testing::MatchesRegex("process [0-9]+ \\([a-z]+\\) is not a Python process"));
}

}  // namespace
}  // namespace pycroscope

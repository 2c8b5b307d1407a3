// The on-CPU sampler against running interpreters.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <set>
#include <string_view>

#include "tests/unit/daemon/collect/memory_sink.h"
#include "tests/unit/support/python_target.h"

namespace pycroscope {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

class SampleCollectorTest : public test::OnPython {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "loading BPF programs needs root";
    OnPython::SetUp();
  }

  // Fails the test when the recording fails or too little comes of it.
  void record_script(const std::string& script, double rate, size_t samples) {
    test::PythonTarget target(GetParam(), script);
    ASSERT_TRUE(target.wait_until_ready());
    const Status recorded = record(target.pid(), rate, seconds(120), sink_, samples);
    ASSERT_TRUE(recorded.has_value()) << recorded.error().message;
    ASSERT_GE(sink_.samples().size(), samples) << "of the time of the test";
  }

  MemorySink sink_;
};

// Lines that the frames of a stack may be at, and who may call whom from where.
TEST_P(SampleCollectorTest, AlternatingChainsNeverMix) {
  record_script(
      "def leaf_a(x):\n"      // 1
      "  return x + 1\n"      // 2
      "def outer_a(x):\n"     // 3
      "  return leaf_a(x)\n"  // 4
      "def leaf_b(x):\n"      // 5
      "  return x - 1\n"      // 6
      "def outer_b(x):\n"     // 7
      "  return leaf_b(x)\n"  // 8
      "print('ready', flush=True)\n"
      "x = 0\n"
      "while True:\n"       // 11
      "  x = outer_a(x)\n"  // 12
      "  x = outer_b(x)\n",
      10'000, 20'000);
  const std::set<std::string> allowed{"<module>:11",           "<module>:12",           "<module>:13",
                                      "<module>:12>outer_a:3", "<module>:12>outer_a:4", "outer_a:4>leaf_a:1",
                                      "outer_a:4>leaf_a:2",    "<module>:13>outer_b:7", "<module>:13>outer_b:8",
                                      "outer_b:8>leaf_b:5",    "outer_b:8>leaf_b:6"};
  for (const Sample& sample : sink_.samples()) {
    const auto frames = sink_.frames(sample.stack);
    ASSERT_FALSE(frames.empty());
    EXPECT_EQ(frames.back().name, "<module>");
    const auto place = [](const MemorySink::Frame& f) { return f.name + ":" + std::to_string(f.line); };
    EXPECT_TRUE(frames.size() > 1 || allowed.contains(place(frames[0]))) << place(frames[0]);
    for (size_t i = 0; i + 1 < frames.size(); ++i) {
      const std::string call = place(frames[i + 1]) + ">" + place(frames[i]);
      EXPECT_TRUE(allowed.contains(call)) << call;
    }
  }
}

TEST_P(SampleCollectorTest, ReplacedCodeObjectsNeverLendTheirNames) {
  record_script(
      "def make(number, caller):\n"
      "  name = f'made_{number}_by_{caller}'\n"
      "  body = ''.join(f'  for x in range(200): x += {i}\\n' for i in range(number % 7 + 1))\n"
      "  scope = {}\n"
      "  exec(compile(f'def {name}():\\n{body}  return x\\n', f'/somewhere/{name}.py', 'exec'), scope)\n"
      "  return scope[name]\n"
      "def left(number): make(number, 'left')()\n"
      "def right(number): make(number, 'right')()\n"
      "print('ready', flush=True)\n"
      "number = 0\n"
      "while True:\n"
      "  left(number)\n"
      "  right(number + 1)\n"
      "  number += 2\n",
      10'000, 20'000);
  size_t made = 0;
  for (const Sample& sample : sink_.samples()) {
    const auto frames = sink_.frames(sample.stack);
    for (size_t i = 0; i < frames.size(); ++i) {
      if (!frames[i].name.starts_with("made_")) continue;
      ++made;
      ASSERT_LT(i + 1, frames.size());
      EXPECT_EQ(frames[i].file, "/somewhere/" + frames[i].name + ".py");
      EXPECT_TRUE(frames[i].name.ends_with("_by_" + frames[i + 1].name)) << frames[i].name << frames[i + 1].name;
      int number = 0;
      std::from_chars(frames[i].name.data() + 5, frames[i].name.data() + frames[i].name.size(), number);
      EXPECT_LE(frames[i].line, static_cast<uint32_t>(number % 7 + 3)) << frames[i].name;
    }
  }
  EXPECT_GT(made, 1000u);
  EXPECT_LT(sink_.lost(v1::LOSS_REASON_UNKNOWN_CODE), sink_.samples().size() / 100);
}

TEST_P(SampleCollectorTest, DeepStacksKeepTheirLeaves) {
  record_script(
      "import sys\n"
      "sys.setrecursionlimit(5000)\n"
      "def spin():\n"
      "  print('ready', flush=True)\n"
      "  while True: pass\n"
      "def down(n):\n"
      "  spin() if n == 0 else down(n - 1)\n"
      "down(1000)\n",
      1'000, 50);
  for (const Sample& sample : sink_.samples()) {
    const auto frames = sink_.frames(sample.stack);
    ASSERT_EQ(frames.size(), size_t{512});
    EXPECT_TRUE(sample.truncated);
    EXPECT_TRUE(frames.front().name == "spin" && frames.back().name == "down");
  }
}

TEST_P(SampleCollectorTest, GeneratorsAndCoroutinesStandUnderWhoRunsThem) {
  record_script(
      "import asyncio\n"
      "def inner():\n"
      "  for i in range(200): yield i\n"
      "def numbers():\n"
      "  yield from inner()\n"
      "def consume():\n"
      "  return sum(numbers())\n"
      "async def leaf():\n"
      "  return consume()\n"
      "async def middle():\n"
      "  return await leaf()\n"
      "async def main():\n"
      "  print('ready', flush=True)\n"
      "  while True: await middle()\n"
      "asyncio.run(main())\n",
      5'000, 5'000);
  size_t deepest = 0;
  for (const Sample& sample : sink_.samples()) {
    const auto frames = sink_.frames(sample.stack);
    EXPECT_EQ(frames.back().name, "<module>");
    const std::array expected{"inner", "numbers", "consume", "leaf", "middle", "main"};
    const auto at = std::ranges::find(frames, "inner", &MemorySink::Frame::name);
    if (at == frames.end()) continue;
    ++deepest;
    ASSERT_GE(frames.end() - at, 6);
    for (size_t i = 0; i < expected.size(); ++i) EXPECT_EQ((at + static_cast<ptrdiff_t>(i))->name, expected[i]);
  }
  EXPECT_GT(deepest, sink_.samples().size() / 10);
}

TEST_P(SampleCollectorTest, ThreadsBornLaterAreSeenAndNamed) {
  record_script(
      "import threading, time\n"
      "def spin():\n"
      "  end = time.monotonic() + 0.05\n"
      "  while time.monotonic() < end: pass\n"
      "print('ready', flush=True)\n"
      "number = 0\n"
      "while True:\n"
      "  number += 1\n"
      "  t = threading.Thread(target=spin, name=f'worker-{number}')\n"
      "  t.start()\n"
      "  t.join()\n",
      1'000, 500);
  std::map<std::string, std::set<ThreadId>> threads;
  for (const Sample& sample : sink_.samples()) {
    const auto frames = sink_.frames(sample.stack);
    if (std::ranges::find(frames, "spin", &MemorySink::Frame::name) != frames.end())
      threads[sink_.thread_name(sample.thread)].insert(sample.thread);
  }
  std::erase_if(threads, [](const auto& thread) { return !thread.first.starts_with("worker-"); });
  EXPECT_GE(threads.size(), 3u);
  for (const auto& [name, ids] : threads) EXPECT_EQ(ids.size(), 1u) << name;
}

TEST_P(SampleCollectorTest, RecordedAndLostAddUpToTheTimeOnTheCpu) {
  test::PythonTarget target(GetParam(), "print('ready', flush=True)\nwhile True: pass\n");
  ASSERT_TRUE(target.wait_until_ready());
  const auto cpu_seconds = [&] {
    std::ifstream file("/proc/" + std::to_string(target.pid()) + "/schedstat");
    double nanoseconds = 0;
    file >> nanoseconds;
    return nanoseconds * 1e-9;
  };
  const double before = cpu_seconds();
  const int64_t begin_ns = monotonic_ns();
  const Status recorded = record(target.pid(), 1000, seconds(3), sink_);
  const double used = cpu_seconds() - before;
  const double elapsed = static_cast<double>(monotonic_ns() - begin_ns) / 1e9;
  ASSERT_TRUE(recorded.has_value()) << recorded.error().message;
  const double happened = static_cast<double>(sink_.samples().size() + sink_.lost());
  // The time outside, before the first tick could happen and after the last, is the target's too. The clock of ticks
  // goes on while a hypervisor has the CPU, which the target is not charged for.
  EXPECT_LE(happened, elapsed * 1000 + 1);
  EXPECT_GE(happened, used * 1000 * 0.9);
}

// What the kernel cuts is completed from live memory, which takes both sides to agree on the identity.
TEST_P(SampleCollectorTest, LongLineTablesAreCompleted) {
  record_script(
      "lines = ''.join(f'  x = {i}; y = x + {i}; z = y + x\\n' for i in range(2000))\n"
      "scope = {}\n"
      "exec(compile(f'def long():\\n{lines}', '/somewhere/long.py', 'exec'), scope)\n"
      "print('ready', flush=True)\n"
      "while True: scope['long']()\n",
      2'000, 500);
  uint32_t last_line = 0;
  for (const Sample& sample : sink_.samples()) {
    const auto frames = sink_.frames(sample.stack);
    if (frames.front().name != "long") continue;
    EXPECT_GE(frames.front().line, 1u);
    EXPECT_LE(frames.front().line, 2001u);
    last_line = std::max(last_line, frames.front().line);
  }
  EXPECT_GT(last_line, 1000u);
}

TEST_P(SampleCollectorTest, TimeInCIsTheCallersTime) {
  record_script(
      "numbers = range(10**6)\n"
      "print('ready', flush=True)\n"
      "while True: sum(numbers)\n",
      1'000, 200);
  for (const Sample& sample : sink_.samples()) {
    const auto frames = sink_.frames(sample.stack);
    ASSERT_FALSE(frames.empty());
    EXPECT_EQ(frames.back().name, "<module>");  // C code is part of the Python frame that called it
    EXPECT_EQ(frames.back().line, 3u);
  }
}

PYC_ON_EVERY_PYTHON(SampleCollectorTest);

}  // namespace
}  // namespace pycroscope

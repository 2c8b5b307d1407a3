// Which task a thread executes and what it is called, as running interpreters have it.
#include "daemon/collect/task_capture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "daemon/collect/task_table.h"
#include "daemon/python/frames.h"
#include "daemon/python/task_finder.h"
#include "daemon/target/live_memory.h"
#include "tests/unit/support/hostile_memory.h"
#include "tests/unit/support/python_target.h"

namespace pycroscope {
namespace {

using testing::StartsWith;

class TaskCaptureTest : public test::OnPython {
 protected:
  void look_at(const test::PythonTarget& target) {
    auto process = Process::open(target.pid());
    ASSERT_TRUE(process);
    process_.emplace(*std::move(process));
    memory_.emplace(target.pid());
    auto python = find_python(*process_, *memory_);
    ASSERT_TRUE(python) << python.error().message;
    python_ = *std::move(python);
  }

  bool find() {
    const auto tasks = find_tasks(LiveModules(*process_), *memory_, python_);
    if (tasks) python_.tasks = *tasks;
    return tasks.has_value();
  }

  // Of the main thread, whose state is the oldest.
  std::optional<std::string> name() {
    const auto threads = walk_threads(*memory_, python_, 1);
    if (!threads || threads->empty()) return "no thread";
    const auto record = capture_task(*memory_, python_, process_->pid(), threads->back().tstate);
    if (record.empty()) return std::nullopt;
    pyc_task_record head;
    std::memcpy(&head, record.data(), sizeof head);
    tasks_.add(record, symbols_);
    pyc_sample sample{};
    sample.task = head.identity;
    const auto name = tasks_.name(sample);
    return name ? std::optional(std::string(symbols_.string(*name))) : "unknown";
  }

  std::optional<Process> process_;
  std::optional<LiveMemory> memory_;
  PythonRuntime python_;
  Symbols symbols_;
  TaskTable tasks_;
};

TEST_P(TaskCaptureTest, ReadsNamesOfEachForm) {
  test::PythonTarget target(GetParam(), R"(import sys
def pause():
    print("ready", flush=True)
    sys.stdin.readline()
pause()
import asyncio
class Derived(asyncio.Task): pass
async def stop(): pause()
async def main():
    loop = asyncio.get_running_loop()
    for name in ("plain", "\u00e9", "\u4e2d", "\U0001f600", "a\ud800b", "x" * 200, "y" * 300, ""):
        await asyncio.create_task(stop(), name=name)
    await asyncio.create_task(stop())
    await Derived(stop(), name="derived")
    await asyncio.tasks._PyTask(stop(), name="python")
    done = loop.create_future()
    loop.call_soon(lambda: done.set_result(pause()))
    await done
asyncio.run(main())
)");
  ASSERT_TRUE(target.wait_until_ready());
  ASSERT_NO_FATAL_FAILURE(look_at(target));
  EXPECT_FALSE(find());
  const auto next = [&] {
    EXPECT_TRUE(target.write_line(""));
    EXPECT_TRUE(target.wait_until_ready());
    EXPECT_TRUE(python_.tasks.type != 0 || find());
    return name();
  };
  const std::vector<std::string> names{"plain",
                                       "é",
                                       "中",
                                       "😀",
                                       "a\xef\xbf\xbd"
                                       "b",
                                       std::string(200, 'x'),
                                       std::string(200, 'y') + "…",
                                       ""};
  for (const std::string& expected : names) EXPECT_EQ(next(), expected);
  EXPECT_THAT(next().value_or(""), StartsWith("Task-"));
  EXPECT_EQ(next(), "derived");
  // Its implementation in Python is none that can be read.
  EXPECT_EQ(next(), std::nullopt);
  // A callback of the loop.
  EXPECT_EQ(next(), std::nullopt);
}

TEST_P(TaskCaptureTest, EndsWithinItsLimitsWhateverTheMemorySays) {
  test::PythonTarget target(GetParam(), R"(import asyncio, sys
async def main():
    asyncio.current_task().set_name("\u4e2d" * 300)
    print("ready", flush=True)
    sys.stdin.readline()
asyncio.run(main())
)");
  ASSERT_TRUE(target.wait_until_ready());
  ASSERT_NO_FATAL_FAILURE(look_at(target));
  ASSERT_TRUE(find());
  const auto threads = walk_threads(*memory_, python_, 1);
  ASSERT_TRUE(threads);
  const LiveModules modules(*process_);
  size_t captured = 0;
  for (uint32_t seed = 0; seed < 1000; ++seed) {
    const test::HostileMemory memory(*memory_, seed);
    if (seed < 50) static_cast<void>(find_tasks(modules, memory, python_));
    const auto record = capture_task(memory, python_, target.pid(), threads->back().tstate);
    EXPECT_LE(record.size(), sizeof(pyc_task_record) + PYC_TASK_NAME_BYTES);
    tasks_.add(record, symbols_);
    captured += !record.empty();
  }
  EXPECT_GT(captured, 500U);
}

PYC_ON_EVERY_PYTHON(TaskCaptureTest);

TEST(TaskTableTest, RefusesWhatIsNotWhole) {
  Symbols symbols;
  TaskTable table;
  pyc_task_record record{.type = PYC_RECORD_TASK, .tgid = 1, .identity = 7, .name = {}};
  record.name = {.number = 0, .unit_bytes = 2, .length = 5};
  table.add(std::as_bytes(std::span(&record, 1)), symbols);
  table.add(std::as_bytes(std::span(&record, 1)).first(12), symbols);
  pyc_sample sample{};
  sample.task = 7;
  EXPECT_FALSE(table.name(sample));
  record.name = {.number = 12, .unit_bytes = 0, .length = 0};
  table.add(std::as_bytes(std::span(&record, 1)), symbols);
  EXPECT_EQ(symbols.string(table.name(sample).value()), "Task-12");
}

}  // namespace
}  // namespace pycroscope

// What reads a target's objects must come to an end, within its limits, whatever the memory says.
#include "tests/unit/support/hostile_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "daemon/python/frames.h"
#include "daemon/python/gil.h"
#include "daemon/python/locals.h"
#include "daemon/python/thread_names.h"
#include "daemon/target/live_memory.h"
#include "tests/unit/support/python_target.h"

namespace pycroscope {
namespace {

class HostileMemoryTest : public test::OnPython {};

TEST_P(HostileMemoryTest, EndsWithinItsLimits) {
  test::PythonTarget target(GetParam(), R"(import sys, threading
class Thing: pass
def work(event):
    number, real, text, data = 3**200, 1.5, "h\u00e9llo \u4e2d\U0001f680", b"bytes" * 100
    thing = Thing(); thing.a = 1; thing.b = "two"
    attributes, nothing, yes = thing.__dict__, None, True
    items = [number, (real, text), {"key": data, 2: {1, 2, 3}}, frozenset({"x"}), list(range(1000))]
    items.append(items)
    closure = lambda: (items, text)
    event.wait()
threads = [threading.Thread(target=work, args=(threading.Event(),), daemon=True) for i in range(5)]
for thread in threads: thread.start()
print("ready", flush=True)
sys.stdin.readline()
)");
  ASSERT_TRUE(target.wait_until_ready());
  const auto process = Process::open(target.pid());
  ASSERT_TRUE(process) << process.error().message;
  const LiveMemory live(target.pid());
  const auto python = find_python(*process, live);
  ASSERT_TRUE(python) << python.error().message;
  const auto threads = walk_threads(live, *python, 100);
  ASSERT_TRUE(threads) << threads.error().message;

  size_t texts = 0;
  for (uint32_t seed = 0; seed < 400; ++seed) {
    const test::HostileMemory memory(live, seed);
    LocalsReader locals(memory, python->layout);
    for (const PythonThread& thread : *threads) {
      (void)read_gil_of(memory, *python, thread.tstate);
      for (const PythonFrame& frame : thread.frames) {
        for (const LocalVariable& variable : locals.read(frame)) {
          EXPECT_LE(variable.text.size(), ValueText::kMaxBytes + 3);
          EXPECT_LE(variable.name.size(), 4096u);
          ++texts;
        }
      }
    }
    (void)walk_threads(memory, *python, 1000);
    const auto names = python_thread_names(memory, *python);
    EXPECT_LE(names ? names->size() : 0, 1u << 16);
  }
  EXPECT_GT(texts, 0u);
}

PYC_ON_EVERY_PYTHON(HostileMemoryTest);

}  // namespace
}  // namespace pycroscope

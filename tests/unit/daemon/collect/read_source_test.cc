// Sampling by reads from outside against running interpreters: what is recorded and lost adds up in each mode.
#include "daemon/collect/read_source.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "daemon/target/process_use.h"
#include "tests/unit/daemon/collect/memory_sink.h"
#include "tests/unit/support/python_target.h"

namespace pycroscope {
namespace {

using std::chrono::milliseconds;

constexpr double kRate = 500;
constexpr milliseconds kDuration{2000};

class ReadSourceTest : public test::OnPython {
 protected:
  void record_script(const std::string& script, v1::SampleMode mode) {
    test::PythonTarget target(GetParam(), script);
    ASSERT_TRUE(target.wait_until_ready());
    v1::RecordingConfig config;
    config.set_mode(mode);
    config.set_rate_hz(kRate);
    const uint64_t cpu_before = process_cpu_ns(target.pid());
    const Status recorded = record(target.pid(), config, start_read_source(config), kDuration, sink_);
    cpu_seconds_ = static_cast<double>(process_cpu_ns(target.pid()) - cpu_before) / 1e9;
    ASSERT_TRUE(recorded) << recorded.error().message;
    for (const Sample& sample : sink_.samples()) ++by_leaf_[sink_.frames(sample.stack).front().name];
  }
  double happened() const { return static_cast<double>(sink_.samples().size() + sink_.lost()); }
  double of(const std::string& leaf) { return static_cast<double>(by_leaf_[leaf]); }
  static double ticks() { return kRate * std::chrono::duration<double>(kDuration).count(); }

  MemorySink sink_;
  double cpu_seconds_ = 0;
  std::map<std::string, size_t> by_leaf_;
};

constexpr char kBusyAndIdle[] = R"(
import threading
from time import sleep, thread_time
def burn():
    while True:
        end = thread_time() + 0.001
        while thread_time() < end: pass
def idle():
    while True: sleep(0.05)
for f in (burn, idle): threading.Thread(target=f, daemon=True).start()
print("ready", flush=True)
def wait(): threading.Event().wait()
wait()
)";

TEST_P(ReadSourceTest, CpuModeCountsCpuTime) {
  record_script(kBusyAndIdle, v1::SAMPLE_MODE_CPU);
  EXPECT_NEAR(happened(), kRate * cpu_seconds_, 0.05 * kRate * cpu_seconds_ + 10);
  EXPECT_GT(of("burn"), 0.8 * static_cast<double>(sink_.samples().size()));
}

TEST_P(ReadSourceTest, WallModeCountsEachThread) {
  record_script(kBusyAndIdle, v1::SAMPLE_MODE_WALL);
  EXPECT_NEAR(happened(), 3 * ticks(), 0.1 * 3 * ticks());
  EXPECT_NEAR(of("idle"), ticks(), 0.1 * ticks());
  std::map<ThreadId, size_t> threads;
  for (const Sample& sample : sink_.samples()) ++threads[sample.thread];
  EXPECT_EQ(threads.size(), 3U);
}

TEST_P(ReadSourceTest, GilModeCountsTheHolder) {
  record_script(kBusyAndIdle, v1::SAMPLE_MODE_GIL);
  EXPECT_GT(of("burn"), 0.9 * static_cast<double>(sink_.samples().size()));
  EXPECT_LT(happened(), 1.1 * ticks());
}

PYC_ON_EVERY_PYTHON(ReadSourceTest);

TEST(ReadSourceFailuresTest, SaysWhenAProcessIsGone) {
  v1::RecordingConfig config;
  config.set_mode(v1::SAMPLE_MODE_CPU);
  config.set_rate_hz(kRate);
  const auto source = start_read_source(config);
  const Status watched = source->watch(std::make_shared<const Process>(Process::ended(1 << 22)), nullptr);
  ASSERT_FALSE(watched);
  EXPECT_EQ(watched.error().code, ErrorCode::kTargetGone);
}

}  // namespace
}  // namespace pycroscope

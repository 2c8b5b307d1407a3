#include "daemon/collect/kernel_source.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>
#include <functional>
#include <list>
#include <optional>
#include <span>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "daemon/collect/kernel_errors.h"
#include "daemon/collect/loss_sums.h"
#include "daemon/collect/standing_waits.h"
#include "daemon/collect/thread_events.h"
#include "daemon/os/clock.h"

namespace pycroscope {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// Room for a quarter of a second of stacks of moderate depth on each CPU.
size_t ring_bytes(double rate) {
  constexpr double kSampleBytes = 512, kSeconds = 0.25;
  const double cpus = static_cast<double>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
  const auto wanted = static_cast<size_t>(rate * kSampleBytes * kSeconds * cpus);
  return std::clamp(std::bit_ceil(wanted), Sampler::kRingBytes, Sampler::kMaxRingBytes);
}

// What both clocks have in common.
class KernelSource : public StackSource {
 public:
  KernelSource(std::unique_ptr<Sampler> sampler) : sampler_(std::move(sampler)) {}

  void watch_tasks(pid_t pid, const pyc_tasks& tasks) override { sampler_->set_tasks(pid, tasks); }

  void forget(pid_t pid) override { sampler_->remove_process(pid); }

  Status drain(milliseconds timeout, const RecordVisitor& visit) override { return sampler_->drain(timeout, visit); }

  void set_stride(uint32_t stride) override { sampler_->set_stride(stride); }

  TickGrid grid() const override {
    const pyc_settings& settings = sampler_->settings();
    // Without a tick so far there is none in any time up to now.
    const uint64_t origin = settings.tick_origin_ns != 0 ? settings.tick_origin_ns : TickGrid::kNever;
    return {.origin_ns = origin, .period_ns = settings.tick_period_ns};
  }

  std::string explain_failures() const override { return explain_errors(counted_.ticks, counted_.errors); }

 protected:
  // Losses that the kernel side counted since the last call.
  LossSums counted_losses() {
    const pyc_counters now = sampler_->counters();
    uint64_t errors[PYC_ERROR_COUNT];
    std::ranges::transform(now.errors, counted_.errors, errors, std::minus());
    LossSums losses;
    losses.add_errors(errors);
    losses.add(v1::LOSS_REASON_RING_FULL, now.ring_full - counted_.ring_full);
    losses.add(v1::LOSS_REASON_LATE_TICK, now.late - counted_.late);
    losses.add(v1::LOSS_REASON_SELF_LIMIT, now.skipped - counted_.skipped);
    counted_ = now;
    return losses;
  }

  uint64_t ticks() const { return counted_.ticks; }

  std::unique_ptr<Sampler> sampler_;

 private:
  pyc_counters counted_{};
};

class ThreadClockSource final : public KernelSource {
 public:
  ThreadClockSource(std::unique_ptr<Sampler> sampler, bool follow_children)
      : KernelSource(std::move(sampler)),
        inherit_(follow_children ? CpuClockEvent::Inherit::kThreadsAndChildren : CpuClockEvent::Inherit::kThreads) {}

  Status watch(std::shared_ptr<const Process> process, const PythonRuntime* python) override {
    const pid_t pid = process->pid();
    PYC_CHECK(sampler_->set_process(pid, python));
    if (!covered_.insert(pid).second) return {};
    PYC_TRY(auto events, ThreadEvents::start(std::move(process), sampler_->settings().tick_period_ns, inherit_,
                                             sampler_->thread_tick_program()));
    events_.push_back(std::move(events));
    return {};
  }

  Status drain(milliseconds timeout, const RecordVisitor& visit) override {
    return KernelSource::drain(timeout, [&](std::span<const std::byte> record) {
      note(record);
      visit(record);
    });
  }

  Result<std::vector<LossCount>> account(const RecordVisitor&) override {
    for (ThreadEvents& events : events_)
      if (!events.settled() && !stopped_) PYC_CHECK(events.settle(ticked_));
    // In this order: ticks of the time in between make the expectation too low, never too high.
    uint64_t expected = 0;
    for (const ThreadEvents& events : events_) {
      PYC_TRY(const uint64_t ticks, events.expected_ticks());
      expected += ticks;
    }
    LossSums losses = counted_losses();
    if (expected > ticks() + late_) {
      const uint64_t late = expected - ticks();
      losses.add(v1::LOSS_REASON_LATE_TICK, late - std::exchange(late_, late));
    }
    return losses.counts();
  }

  Status stop() override {
    stopped_ = true;
    for (ThreadEvents& events : events_) PYC_CHECK(events.stop());
    return {};
  }

 private:
  // Children of what is covered have inherited its clocks.
  void note(std::span<const std::byte> record) {
    pyc_lifecycle lifecycle;
    pyc_sample sample;
    if (record_is(record, PYC_RECORD_LIFECYCLE, lifecycle) && lifecycle.event == PYC_LIFECYCLE_FORK)
      covered_.insert(static_cast<pid_t>(lifecycle.tgid));
    else if (!settled() && record_is(record, PYC_RECORD_SAMPLE, sample))
      ticked_.insert(static_cast<pid_t>(sample.tid));
  }

  bool settled() const {
    return std::ranges::all_of(events_, [](const ThreadEvents& events) { return events.settled(); });
  }

  CpuClockEvent::Inherit inherit_;
  std::list<ThreadEvents> events_;
  std::unordered_set<pid_t> covered_;
  std::unordered_set<pid_t> ticked_;  // while threads are in doubt
  uint64_t late_ = 0;
  bool stopped_ = false;
};

// Starts the clocks so that their ticks fall together: a thread that changes CPUs at the same point of each period
// would else have more or fewer ticks than time. Whoever is kept from starting one at its moment starts it anew at a
// later.
Status start_together(std::span<CpuClockEvent> clocks, uint64_t period_ns) {
  constexpr int kAttempts = 10;
  constexpr uint64_t kPromptNs = 10'000;
  constexpr nanoseconds kWakeUp{80'000};  // what sleeping may take longer
  const uint64_t tolerance_ns = std::max(kPromptNs, period_ns / 50);
  std::optional<uint64_t> origin;  // of the grid that they tick on
  for (CpuClockEvent& clock : clocks)
    for (int attempt = 1; attempt <= kAttempts; ++attempt) {
      auto now = static_cast<uint64_t>(monotonic_ns());
      if (origin && (now - *origin) % period_ns > tolerance_ns) {
        const uint64_t moment = now + period_ns - (now - *origin) % period_ns;
        std::this_thread::sleep_for(nanoseconds(moment - now) - kWakeUp);
        while (now < moment) now = static_cast<uint64_t>(monotonic_ns());
      }
      const uint64_t grid = origin.value_or(now);
      PYC_CHECK(clock.start());
      const bool in_time = (static_cast<uint64_t>(monotonic_ns()) - grid) % period_ns <= tolerance_ns;
      if (!in_time && attempt < kAttempts) {
        PYC_CHECK(clock.stop());
        continue;
      }
      origin = grid;
      break;
    }
  return {};
}

class CpuClocksSource final : public KernelSource {
 public:
  static Result<std::unique_ptr<StackSource>> start(std::unique_ptr<Sampler> sampler) {
    PYC_CHECK(sampler->follow_waits());
    std::vector<CpuClockEvent> clocks;
    const long cpus = ::sysconf(_SC_NPROCESSORS_CONF);
    for (int cpu = 0; cpu < cpus; ++cpu) {
      auto clock = CpuClockEvent::open_cpu(cpu, sampler->settings().tick_period_ns);
      if (!clock && clock.error().code == ErrorCode::kNotFound) continue;
      if (!clock) return std::unexpected(std::move(clock).error());
      clocks.push_back(*std::move(clock));
    }
    for (CpuClockEvent& clock : clocks) PYC_CHECK(clock.attach(sampler->cpu_tick_program()));
    PYC_CHECK(start_together(clocks, sampler->settings().tick_period_ns));
    return std::make_unique<CpuClocksSource>(std::move(sampler), std::move(clocks));
  }

  CpuClocksSource(std::unique_ptr<Sampler> sampler, std::vector<CpuClockEvent> clocks)
      : KernelSource(std::move(sampler)), clocks_(std::move(clocks)) {}

  Status watch(std::shared_ptr<const Process> process, const PythonRuntime* python) override {
    PYC_CHECK(sampler_->set_process(process->pid(), python));
    if (!python) return {};
    read_standing_waits(
        *process, *python,
        [&](std::span<const std::byte> record) { codes_.emplace_back(record.begin(), record.end()); },
        [&](const pyc_wait& wait) { sampler_->add_wait(wait); });
    return {};
  }

  Status drain(milliseconds timeout, const RecordVisitor& visit) override {
    for (const auto& record : std::exchange(codes_, {})) visit(record);
    return KernelSource::drain(timeout, [&](std::span<const std::byte> record) { visit_clipped(record, visit); });
  }

  Result<std::vector<LossCount>> account(const RecordVisitor& visit) override {
    sampler_->visit_waiting([&](const pyc_wait& wait) {
      const auto now = static_cast<uint64_t>(monotonic_ns());
      pyc_sample so_far = wait.sample;
      so_far.time_ns = now;
      so_far.stride = sampler_->settings().stride;
      VisitedWait& visited = visited_[so_far.tid];
      if (visited.begin_ns == wait.sample.wait_begin_ns) so_far.wait_begin_ns = visited.until_ns;
      visited = {.begin_ns = wait.sample.wait_begin_ns, .until_ns = now};
      visit_wait(so_far, wait.frames, visit);
    });
    return counted_losses().counts();
  }

  Status stop() override {
    for (CpuClockEvent& clock : clocks_) PYC_CHECK(clock.stop());
    return {};
  }

 private:
  // A wait that was visited while it lasted.
  struct VisitedWait {
    uint64_t begin_ns = 0;
    uint64_t until_ns = 0;
  };

  static void visit_wait(const pyc_sample& sample, const pyc_frame* frames, const RecordVisitor& visit) {
    std::vector<std::byte> record(sizeof sample + sample.frame_count * sizeof(pyc_frame));
    std::memcpy(record.data(), &sample, sizeof sample);
    std::memcpy(record.data() + sizeof sample, frames, record.size() - sizeof sample);
    visit(record);
  }

  // What was visited of a wait while it lasted does not come again with its end.
  void visit_clipped(std::span<const std::byte> record, const RecordVisitor& visit) {
    pyc_sample sample;
    const bool is_wait = record_is(record, PYC_RECORD_SAMPLE, sample) && (sample.flags & PYC_SAMPLE_WAITED) != 0;
    const auto visited = is_wait ? visited_.find(sample.tid) : visited_.end();
    // An earlier wait of the thread may still have been on its way when a later one was visited.
    if (visited == visited_.end() || visited->second.begin_ns != sample.wait_begin_ns) return visit(record);
    sample.wait_begin_ns = visited->second.until_ns;
    visited_.erase(visited);
    if (sample.wait_begin_ns >= sample.time_ns) return;
    std::vector<std::byte> copy(record.begin(), record.end());
    std::memcpy(copy.data(), &sample, sizeof sample);
    visit(copy);
  }

  std::vector<CpuClockEvent> clocks_;
  std::vector<std::vector<std::byte>> codes_;          // code objects of waits that were there before
  std::unordered_map<uint32_t, VisitedWait> visited_;  // by tid
};

}  // namespace

Result<std::unique_ptr<Sampler>> load_sampler(const v1::RecordingConfig& config, std::unique_ptr<Sampler> ready) {
  const size_t ring = ring_bytes(config.rate_hz());
  if (ready && ready->ring_bytes() >= ring) return ready;
  return Sampler::load(ring);
}

Result<std::unique_ptr<StackSource>> start_kernel_source(const v1::RecordingConfig& config,
                                                         std::unique_ptr<Sampler> sampler) {
  const bool cpu_mode = config.mode() == v1::SAMPLE_MODE_CPU;
  sampler->configure(static_cast<uint64_t>(1e9 / config.rate_hz()), config.subprocesses(), !cpu_mode);
  PYC_CHECK(sampler->follow_lifecycle());
  if (!cpu_mode) return CpuClocksSource::start(std::move(sampler));
  return std::make_unique<ThreadClockSource>(std::move(sampler), config.subprocesses());
}

}  // namespace pycroscope

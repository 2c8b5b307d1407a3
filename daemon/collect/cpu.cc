// The on-CPU sampler. The kernel writes stacks to a ring; drain() translates them into the session's symbols, and about
// once a second accounts for what the kernel could not record, so that recorded + lost = rate x CPU time.
#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <thread>
#include <unordered_set>
#include <utility>

#include "daemon/collect/code_table.h"
#include "daemon/collect/collector.h"
#include "daemon/collect/cpu_sampler.h"
#include "daemon/collect/kernel_errors.h"
#include "daemon/collect/native_places.h"
#include "daemon/collect/stack_table.h"
#include "daemon/collect/thread_events.h"
#include "daemon/collect/thread_table.h"
#include "daemon/python/thread_names.h"

namespace pycroscope {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;

constexpr double kMinRate = 1, kMaxRate = 10'000;
// Once a second; less often with thousands of threads, each of which costs a system call.
constexpr milliseconds kHousekeeping{1000}, kHousekeepingPerThread{10};

int64_t monotonic_ns() { return nanoseconds(steady_clock::now().time_since_epoch()).count(); }

// Room for a quarter of a second of stacks of moderate depth on each CPU.
size_t ring_bytes(double rate) {
  constexpr double kSampleBytes = 512, kSeconds = 0.25;
  const double wanted = rate * kSampleBytes * kSeconds * std::max(1u, std::thread::hardware_concurrency());
  return std::clamp(std::bit_ceil(static_cast<size_t>(wanted)), CpuSampler::kRingBytes, CpuSampler::kMaxRingBytes);
}

class CpuCollector final : public Collector {
 public:
  CpuCollector(const CollectContext& context, uint64_t period_ns, std::unique_ptr<CpuSampler> sampler,
               ThreadEvents events)
      : period_ns_(period_ns),
        session_start_ns_(context.session_start_ns),
        sampler_(std::move(sampler)),
        events_(std::move(events)),
        codes_(context.memory, context.python.layout),
        stacks_(codes_),
        names_(context.memory, context.python),
        threads_(context.process, context.process_id, names_),
        places_(context.process) {}

  Status drain(EventSink& sink, milliseconds timeout) override {
    PYC_CHECK(drain_ring(sink, timeout));
    threads_.update(monotonic_ns(), sink.symbols());
    const auto pause = std::max(kHousekeeping, kHousekeepingPerThread * static_cast<int64_t>(events_.size()));
    if (monotonic_ns() < housekeeping_ns_ + nanoseconds(pause).count()) return {};
    housekeeping_ns_ = monotonic_ns();
    if (!events_.settled()) PYC_CHECK(events_.settle(ticked_));
    return account(sink);
  }

  Status stop(EventSink& sink) override {
    PYC_CHECK(events_.stop());
    PYC_CHECK(drain_ring(sink, milliseconds(0)));
    threads_.update(monotonic_ns(), sink.symbols());
    PYC_CHECK(account(sink));
    return explain_nothing();
  }

 private:
  Status drain_ring(EventSink& sink, milliseconds timeout) {
    return sampler_->drain(timeout, [&](std::span<const std::byte> record) {
      uint32_t type = 0;
      std::memcpy(&type, record.data(), sizeof type);
      if (type == PYC_RECORD_CODE)
        codes_.add(record, sink.symbols());
      else if (type == PYC_RECORD_SAMPLE)
        add_sample(record, sink);
    });
  }

  void add_sample(std::span<const std::byte> record, EventSink& sink) {
    const auto& sample = *reinterpret_cast<const pyc_sample*>(record.data());
    const std::span frames(reinterpret_cast<const pyc_frame*>(record.data() + sizeof sample), sample.frame_count);
    const int64_t now_ns = static_cast<int64_t>(sample.time_ns);
    Symbols& symbols = sink.symbols();
    if (!events_.settled()) ticked_.insert(static_cast<pid_t>(sample.tid));

    const bool no_python = (sample.flags & PYC_SAMPLE_NO_PYTHON) != 0;
    const auto stack = no_python ? places_.intern(sample.user_ip, now_ns, symbols) : stacks_.intern(frames, symbols);
    if (!stack) return sink.add_loss(v1::LOSS_REASON_UNKNOWN_CODE, 1);
    ++recorded_;
    sink.add({.time_ns = std::max<int64_t>(0, now_ns - session_start_ns_),
              .thread = threads_.intern(static_cast<pid_t>(sample.tid), sample.thread_id, symbols),
              .stack = *stack,
              .weight_ns = static_cast<int64_t>(period_ns_),
              .truncated = (sample.flags & PYC_SAMPLE_TRUNCATED) != 0});
  }

  // Adds the losses since the last call.
  Status account(EventSink& sink) {
    // In this order: ticks of the time in between make the expectation too low, never too high.
    PYC_TRY(const uint64_t expected, events_.expected_ticks());
    const pyc_counters now = sampler_->counters();
    const auto add = [&](v1::LossReason reason, uint64_t count) {
      if (count != 0) sink.add_loss(reason, count);
    };
    for (int id = PYC_OK + 1; id < PYC_ERROR_COUNT; ++id)
      add(kernel_error(static_cast<pyc_error>(id)).loss, now.errors[id] - counted_.errors[id]);
    add(v1::LOSS_REASON_RING_FULL, now.ring_full - counted_.ring_full);
    counted_ = now;
    if (expected > now.ticks + late_) {
      const uint64_t late = expected - now.ticks;
      add(v1::LOSS_REASON_LATE_TICK, late - std::exchange(late_, late));
    }
    return {};
  }

  // A recording without a single stack although there were ticks is a failure, and says of what.
  Status explain_nothing() const {
    int worst = PYC_OK;
    for (int id = PYC_OK + 1; id < PYC_ERROR_COUNT; ++id)
      if (counted_.errors[id] > counted_.errors[worst]) worst = id;
    if (recorded_ != 0 || worst == PYC_OK) return {};
    return fail(ErrorCode::kFailed, fmt::format("no stack could be read in {} attempts: {}", counted_.ticks,
                                                kernel_error(static_cast<pyc_error>(worst)).sentence));
  }

  uint64_t period_ns_;
  int64_t session_start_ns_;
  std::unique_ptr<CpuSampler> sampler_;
  ThreadEvents events_;
  CodeTable codes_;
  StackTable stacks_;
  ThreadNameReader names_;
  ThreadTable threads_;
  NativePlaces places_;
  std::unordered_set<pid_t> ticked_;  // while threads are in doubt
  uint64_t recorded_ = 0;
  pyc_counters counted_{};
  uint64_t late_ = 0;
  int64_t housekeeping_ns_ = monotonic_ns();
};

}  // namespace

Result<std::unique_ptr<Collector>> start_cpu_collector(const CollectContext& context, EventSink&,
                                                       std::unique_ptr<CpuSampler> loaded) {
  const double rate = context.config.rate_hz();
  if (!(rate >= kMinRate && rate <= kMaxRate))
    return fail(ErrorCode::kInvalid, fmt::format("a rate of {} Hz is not between {} and {}", rate, kMinRate, kMaxRate));
  if (context.config.mode() != v1::SAMPLE_MODE_CPU)
    return fail(ErrorCode::kInvalid, "this sampler records CPU time only: use --mode cpu");
  const size_t ring = ring_bytes(rate);
  if (!loaded || loaded->ring_bytes() < ring) {
    PYC_TRY(loaded, CpuSampler::load(ring));
  }
  PYC_CHECK(loaded->configure(context.python));
  const auto period_ns = static_cast<uint64_t>(1e9 / rate);
  PYC_TRY(auto events, ThreadEvents::start(context.process, period_ns, loaded->program()));
  return std::make_unique<CpuCollector>(context, period_ns, std::move(loaded), std::move(events));
}

Result<std::unique_ptr<Collector>> start_cpu_collector(const CollectContext& context, EventSink& sink) {
  return start_cpu_collector(context, sink, nullptr);
}

}  // namespace pycroscope

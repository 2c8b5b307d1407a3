// What probes record in processes becomes the trace of a session.
#include <algorithm>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "daemon/collect/collector.h"
#include "daemon/collect/probed_process.h"
#include "daemon/collect/process_family.h"
#include "daemon/collect/trace_drain.h"
#include "daemon/inject/python_start.h"
#include "daemon/os/clock.h"
#include "daemon/target/live_memory.h"

namespace pycroscope {
namespace {

using std::chrono::milliseconds;

// What is handed on is so old: who was held up between looking at the clock and writing an event has written it.
// All that is younger stays in the rings, which the quickest writers fill in some milliseconds.
constexpr int64_t kSettledNs = 1'000'000;
// Rings that fill quickly end it earlier.
constexpr milliseconds kPause{20};
// While a program starts.
constexpr milliseconds kShortPause{1};
constexpr int64_t kHousekeepingNs = 100'000'000;

// The names stand in the order of pyc_probe_collector's bits.
uint32_t probe_collectors(const v1::RecordingConfig& config) {
  uint32_t bits = 0;
  for (size_t i = 0; i < std::size(kTraceNames); ++i)
    if (std::ranges::find(config.trace(), kTraceNames[i]) != config.trace().end()) bits |= 1u << i;
  return bits;
}
static_assert(kTraceNames[0] == "call" && PYC_PROBE_CALL == 1u << 0);
static_assert(kTraceNames[std::size(kTraceNames) - 1] == "exception" && PYC_PROBE_EXCEPTION == 1u << 6);
static_assert(std::size(kTraceNames) == 7);

ProbePlan make_plan(const v1::RecordingConfig& config, uint64_t origin) {
  return {.collectors = probe_collectors(config),
          .on_full = config.on_full() == v1::ON_FULL_BLOCK ? PYC_RING_BLOCK : PYC_RING_DROP,
          .max_hits = config.max_hits(),
          .include = {config.include().begin(), config.include().end()},
          .exclude = {config.exclude().begin(), config.exclude().end()},
          .origin = origin};
}

class TraceCollector final : public Collector {
 public:
  TraceCollector(CollectContext context, EventSink& sink)
      : context_(std::move(context)),
        origin_(clock_.now()),
        plan_(make_plan(context_.config, origin_)),
        drain_(sink, ring_time(), (plan_.collectors & PYC_PROBE_CALL) != 0) {}

  Status start(EventSink& sink) {
    if (context_.python) return trace(*context_.python, std::nullopt, sink);
    PYC_TRY(PythonStart start, PythonStart::watch(context_.process, context_.may_watch));
    awaited_.emplace(std::move(start));
    return {};
  }

  Status drain(EventSink& sink, milliseconds timeout) override {
    if (!traced_) return look_for_start(sink, timeout);
    traced_->probe().wait(std::min(timeout, kPause));
    const int64_t now = monotonic_ns();
    const bool has_left = !traced_->probe().records();
    traced_->admit(sink.symbols(), drain_);
    drain_until(kSettledNs);
    traced_->update(now, sink);
    if (now >= housekeeping_ns_ + kHousekeepingNs) {
      housekeeping_ns_ = now;
      traced_->look_for_ended(drain_);
      for (const FamilyEvent& event : family_.look(false)) has_executed_ |= event.event == PYC_LIFECYCLE_EXEC;
    }
    if (has_left && context_.process->alive() && !has_executed_)
      return fail(
          ErrorCode::kFailed,
          "the probe has left its process: it was not answered for a second, or another tool took its hooks out");
    return {};
  }

  int64_t naming_cpu_ns() const override { return 0; }
  void set_stride(uint32_t) override {}  // it records all
  bool alive() const override { return context_.process->alive() && !has_executed_; }

  Status stop(EventSink& sink) override {
    awaited_.reset();
    if (!traced_) return {};
    const auto meanwhile = [&] {
      traced_->admit(sink.symbols(), drain_);
      drain_until(kSettledNs);
    };
    const Status removed = alive() ? traced_->probe().remove(meanwhile) : Status();
    traced_->admit(sink.symbols(), drain_);
    traced_->finish(drain_);
    while (!drain_.finished()) drain_until(0);
    drain_.close();
    traced_->update(monotonic_ns(), sink);
    return removed || removed.error().code == ErrorCode::kTargetGone ? Status() : removed;
  }

 private:
  Status trace(const PythonRuntime& python, std::optional<RemoteThread> at, EventSink& sink) {
    PYC_TRY(traced_, ProbedProcess::start(context_.process, python, plan_, clock_, std::move(at), sink, drain_));
    family_.add(context_.process->pid());
    return {};
  }

  // A program that has begun, and whose Python is about to execute the first of it.
  Status look_for_start(EventSink& sink, milliseconds timeout) {
    Result<std::optional<RemoteThread>> at = awaited_->poll();
    if (!at) return at.error().code == ErrorCode::kTargetGone ? Status() : std::unexpected(std::move(at).error());
    if (!*at) {
      std::this_thread::sleep_for(std::min(timeout, kShortPause));
      return {};
    }
    awaited_.reset();
    PYC_TRY(const PythonRuntime python, find_python(*context_.process, LiveMemory(context_.process->pid())));
    context_.on_program(*context_.process, &python);
    return trace(python, *std::move(at), sink);
  }

  RingTime ring_time() {
    clock_.look();
    return {clock_.monotonic_ns(origin_) - context_.session_start_ns, clock_.ns_a_tick()};
  }

  // What is older than `settled_ns`.
  void drain_until(int64_t settled_ns) {
    drain_.set_time(ring_time());
    drain_.drain(clock_.now() - clock_.ticks_of_ns(settled_ns) - origin_);
  }

  const CollectContext context_;
  TickClock clock_;
  const uint64_t origin_;
  const ProbePlan plan_;
  TraceDrain drain_;
  std::optional<PythonStart> awaited_;     // it has not begun yet
  std::unique_ptr<ProbedProcess> traced_;  // it has
  ProcessFamily family_;
  bool has_executed_ = false;  // another program: the probe is no more
  int64_t housekeeping_ns_ = 0;
};

}  // namespace

Result<std::unique_ptr<Collector>> start_trace_collector(CollectContext context, EventSink& sink) {
  auto collector = std::make_unique<TraceCollector>(std::move(context), sink);
  PYC_CHECK(collector->start(sink));
  return collector;
}

}  // namespace pycroscope

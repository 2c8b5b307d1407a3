// What the probe records in a process becomes the trace of a session.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "daemon/collect/collector.h"
#include "daemon/collect/thread_table.h"
#include "daemon/collect/trace_drain.h"
#include "daemon/inject/probe.h"
#include "daemon/os/clock.h"
#include "daemon/target/live_memory.h"
#include "daemon/target/namespaces.h"
#include "daemon/target/thread_files.h"

namespace pycroscope {
namespace {

using std::chrono::milliseconds;

// What is handed on is so old: who was held up between looking at the clock and writing an event has written it.
// All that is younger stays in the rings, which the quickest writers fill in some milliseconds.
constexpr int64_t kSettledNs = 1'000'000;
// Rings that fill quickly end it earlier.
constexpr milliseconds kPause{20};
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

class TraceCollector final : public Collector {
 public:
  TraceCollector(CollectContext context, EventSink& sink)
      : context_(std::move(context)),
        python_(*context_.python),
        memory_(context_.process->pid()),
        names_(memory_, python_),
        threads_(*context_.process, make_process(sink.symbols())) {
    threads_.set_names(&names_);
  }

  Status start(EventSink& sink) {
    const uint32_t collectors = probe_collectors(context_.config);
    PYC_TRY(probe_, Probe::load(context_.process, python_, collectors, PYC_RING_DROP));
    drain_.emplace(sink, ring_time(), RingReader(probe_->definitions(), Probe::kDefinitionSlots),
                   (collectors & PYC_PROBE_CALL) != 0);
    return {};
  }

  Status drain(EventSink& sink, milliseconds timeout) override {
    probe_->wait(std::min(timeout, kPause));
    const int64_t now = monotonic_ns();
    const bool has_left = !probe_->records();
    admit(sink.symbols());
    drain_until(kSettledNs);
    threads_.update(now, sink.symbols());
    count_unrecorded(sink);
    if (now >= housekeeping_ns_ + kHousekeepingNs) {
      housekeeping_ns_ = now;
      look_for_ended();
    }
    if (has_left && context_.process->alive())
      return fail(
          ErrorCode::kFailed,
          "the probe has left its process: it was not answered for a second, or another tool took its hooks out");
    return {};
  }

  int64_t naming_cpu_ns() const override { return 0; }
  void set_stride(uint32_t) override {}  // it records all
  bool alive() const override { return context_.process->alive(); }

  Status stop(EventSink& sink) override {
    const auto meanwhile = [&] {
      admit(sink.symbols());
      drain_until(kSettledNs);
    };
    const Status removed = context_.process->alive() ? probe_->remove(meanwhile) : Status();
    admit(sink.symbols());
    for (const auto& [number, thread] : writers_) drain_->writer_is_gone(thread.id);
    while (!drain_->finished()) drain_until(0);
    drain_->close();
    threads_.update(monotonic_ns(), sink.symbols());
    count_unrecorded(sink);
    return removed || removed.error().code == ErrorCode::kTargetGone ? Status() : removed;
  }

 private:
  struct Writer {
    ThreadId id{};
    pid_t tid = 0;
    bool is_gone = false;
  };

  RingTime ring_time() {
    TickClock& clock = probe_->clock();
    clock.look();
    return {clock.monotonic_ns(probe_->origin()) - context_.session_start_ns, clock.ns_a_tick()};
  }

  // What is older than `settled_ns`; how many events that was.
  uint64_t drain_until(int64_t settled_ns) {
    drain_->set_time(ring_time());
    const TickClock& clock = probe_->clock();
    return drain_->drain(clock.now() - clock.ticks_of_ns(settled_ns) - probe_->origin());
  }

  ProcessId make_process(Symbols& symbols) const {
    const std::string command =
        fmt::format("{}", fmt::join(context_.process->command().value_or(std::vector<std::string>{}), " "));
    return symbols.intern_process({.pid = context_.process->pid(), .command = symbols.intern_string(command)});
  }

  // Our id of a thread that has another one in its own pid namespace.
  pid_t outer_id(pid_t inner) const {
    for (const pid_t tid : thread_ids(context_.process->pid())) {
      const std::vector<uint64_t> ids = ids_in_namespaces(tid);
      if (!ids.empty() && ids.back() == static_cast<uint64_t>(inner)) return tid;
    }
    return inner;
  }

  // Threads that have begun to write.
  void admit(Symbols& symbols) {
    const std::span<pyc_probe_thread> all = probe_->threads();
    for (uint32_t number = 0; number < all.size(); ++number) {
      if (__atomic_load_n(&all[number].state, __ATOMIC_ACQUIRE) == PYC_PROBE_RING_FREE || writers_.contains(number))
        continue;
      const pid_t tid = outer_id(all[number].tid);
      const ThreadId id = threads_.intern(tid, all[number].ident, symbols);
      writers_.emplace(number, Writer{id, tid, false});
      drain_->add(id, RingReader(probe_->ring(number), Probe::kThreadSlots));
    }
  }

  // A ring whose thread has ended is another thread's, one round after the last of it was read.
  void look_for_ended() {
    const std::vector<pid_t> tids = thread_ids(context_.process->pid());
    if (tids.empty()) return;
    for (auto it = writers_.begin(); it != writers_.end();) {
      auto& [number, writer] = *it;
      if (writer.is_gone) {
        probe_->reuse(number);
        it = writers_.erase(it);
        continue;
      }
      if (!std::ranges::binary_search(tids, writer.tid)) {
        drain_->writer_is_gone(writer.id);
        writer.is_gone = true;
      }
      ++it;
    }
  }

  void count_unrecorded(EventSink& sink) {
    const uint64_t now = probe_->unrecorded();
    if (now > unrecorded_) sink.add_loss(v1::LOSS_REASON_RING_FULL, now - unrecorded_);
    unrecorded_ = std::max(unrecorded_, now);
  }

  const CollectContext context_;
  const PythonRuntime python_;
  const LiveMemory memory_;
  ThreadNameReader names_;
  ThreadTable threads_;
  std::unique_ptr<Probe> probe_;
  std::optional<TraceDrain> drain_;
  std::map<uint32_t, Writer> writers_;  // by the number of their ring
  int64_t housekeeping_ns_ = 0;
  uint64_t unrecorded_ = 0;
};

}  // namespace

Result<std::unique_ptr<Collector>> start_trace_collector(CollectContext context, EventSink& sink) {
  auto collector = std::make_unique<TraceCollector>(std::move(context), sink);
  PYC_CHECK(collector->start(sink));
  return collector;
}

}  // namespace pycroscope

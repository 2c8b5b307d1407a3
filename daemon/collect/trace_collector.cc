// What probes record in processes becomes the trace of a session.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "daemon/collect/collector.h"
#include "daemon/collect/probed_process.h"
#include "daemon/collect/process_family.h"
#include "daemon/collect/trace_drain.h"
#include "daemon/inject/python_start.h"
#include "daemon/os/clock.h"
#include "daemon/target/live_memory.h"
#include "daemon/target/namespaces.h"
#include "daemon/target/pids.h"

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
constexpr int64_t kHousekeepingNs = 20'000'000;
// Until when a program's Python has to be there.
constexpr int64_t kStartNs = 2'000'000'000;

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
          .origin = origin,
          .with_children = config.subprocesses()};
}

class TraceCollector final : public Collector {
 public:
  TraceCollector(CollectContext context, EventSink& sink)
      : context_(std::move(context)),
        origin_(clock_.now()),
        plan_(make_plan(context_.config, origin_)),
        drain_(sink, ring_time(), (plan_.collectors & PYC_PROBE_CALL) != 0) {}

  Status start(EventSink& sink) {
    if (context_.python) return trace(context_.process, *context_.python, std::nullopt, sink);
    PYC_TRY(PythonStart start, PythonStart::watch(context_.process, context_.may_watch));
    awaited_.emplace(std::move(start));
    return {};
  }

  Status drain(EventSink& sink, milliseconds timeout) override {
    if (processes_.empty()) return look_for_start(sink, timeout);
    root().probe().wait(std::min(timeout, kPause));
    const int64_t now = monotonic_ns();
    const bool has_left = !root().probe().records();
    admit(sink);
    drain_until(kSettledNs);
    for (const auto& process : processes_) process->update(now, sink);
    if (now >= housekeeping_ns_ + kHousekeepingNs) {
      housekeeping_ns_ = now;
      keep_house(sink);
    }
    if (has_left && context_.process->alive() && !has_executed_)
      return fail(
          ErrorCode::kFailed,
          "the probe has left its process: it was not answered for a second, or another tool took its hooks out");
    return {};
  }

  int64_t naming_cpu_ns() const override { return 0; }
  void set_stride(uint32_t) override {}  // it records all
  bool alive() const override {
    return is_root_alive() || std::ranges::any_of(processes_, [&](const auto& process) {
             return process != processes_.front() && process->alive();
           });
  }

  Status stop(EventSink& sink) override {
    awaited_.reset();
    if (processes_.empty()) return {};
    const auto meanwhile = [&] {
      admit(sink);
      drain_until(kSettledNs);
    };
    Status removed;
    for (size_t i = 0; i < processes_.size(); ++i) {
      const bool is_there = i == 0 ? is_root_alive() : processes_[i]->alive();
      const Status one = is_there ? processes_[i]->probe().remove(meanwhile) : Status();
      if (!one && one.error().code != ErrorCode::kTargetGone) removed = one;
    }
    admit(sink);
    for (const auto& process : processes_) process->finish(drain_);
    while (!drain_.finished()) drain_until(0);
    drain_.close();
    for (const auto& process : processes_) process->update(monotonic_ns(), sink);
    return removed;
  }

 private:
  ProbedProcess& root() { return *processes_.front(); }
  bool is_root_alive() const { return context_.process->alive() && !has_executed_; }

  Status trace(std::shared_ptr<const Process> process, const PythonRuntime& python, std::optional<RemoteThread> at,
               EventSink& sink) {
    const pid_t pid = process->pid();
    PYC_TRY(std::unique_ptr<ProbedProcess> traced,
            ProbedProcess::start(std::move(process), python, plan_, clock_, std::move(at), sink, drain_));
    processes_.push_back(std::move(traced));
    family_.add(pid);
    return {};
  }

  // Threads and forked children that have begun to write.
  void admit(EventSink& sink) {
    for (const Probe::Child& child : root().probe().new_children()) adopt(child, sink);
    for (const auto& process : processes_) process->admit(sink.symbols(), drain_);
  }

  void adopt(const Probe::Child& child, EventSink& sink) {
    const pid_t pid = outer_pid(child.pid), parent_pid = outer_pid(child.parent_pid);
    std::shared_ptr<const Process> process;
    if (Result<Process> opened = Process::open(pid)) process = std::make_shared<const Process>(*std::move(opened));
    if (process && !context_.may_watch(*process)) return;
    const auto parent = std::ranges::find_if(processes_, [&](const auto& known) { return known->pid() == parent_pid; });
    const ProbedProcess& forker = parent == processes_.end() ? root() : **parent;
    processes_.push_back(forker.adopt(root().probe(), child, pid, std::move(process), sink, drain_));
    family_.add(pid);
  }

  // Our id of a process that has another one in its own pid namespace.
  pid_t outer_pid(pid_t inner) const {
    const std::vector<uint64_t> root_ids = ids_in_namespaces(context_.process->pid());
    if (root_ids.size() <= 1) return inner;
    for (const pid_t pid : list_pids().value_or(std::vector<pid_t>{})) {
      const std::vector<uint64_t> ids = ids_in_namespaces(pid);
      if (ids.size() == root_ids.size() && ids.back() == static_cast<uint64_t>(inner)) return pid;
    }
    return inner;
  }

  void keep_house(EventSink& sink) {
    for (const auto& process : processes_) process->look_for_ended(drain_);
    for (const FamilyEvent& event : family_.look(plan_.with_children)) {
      if (event.event != PYC_LIFECYCLE_EXEC) continue;
      if (event.pid == context_.process->pid()) has_executed_ = true;
      if (plan_.with_children) starting_.emplace(event.pid, monotonic_ns());
    }
    look_at_starting(sink);
    for (size_t i = 1; i < processes_.size();) {
      if (!processes_[i]->has_finished(drain_)) {
        ++i;
        continue;
      }
      drain_.remove_process(processes_[i]->number());
      const auto number = processes_[i]->child_number();
      processes_.erase(processes_.begin() + static_cast<ptrdiff_t>(i));
      if (number) root().probe().disown(*number);
    }
  }

  // Programs that children execute, which have a Python some time soon or not at all.
  void look_at_starting(EventSink& sink) {
    std::erase_if(starting_, [&](const auto& started) {
      auto process = Process::open(started.first);
      if (!process || !context_.may_watch(*process)) return true;
      const auto python = find_python(*process, LiveMemory(process->pid()));
      if (!python) return monotonic_ns() - started.second > kStartNs;
      // One that cannot be traced goes on untraced.
      static_cast<void>(trace(std::make_shared<const Process>(*std::move(process)), *python, std::nullopt, sink));
      return true;
    });
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
    return trace(context_.process, python, *std::move(at), sink);
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
  std::optional<PythonStart> awaited_;  // the program has not begun yet
  // The first has all memory that others share with it, so that it stays.
  std::vector<std::unique_ptr<ProbedProcess>> processes_;
  std::map<pid_t, int64_t> starting_;  // since when
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

// The sampler: records of a stack source become samples of the session. drain() translates what has come; about once a
// second what could not be recorded is accounted for, so that recorded + lost = what should have been sampled.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "daemon/collect/collector.h"
#include "daemon/collect/sample_labels.h"
#include "daemon/collect/sampled_process.h"
#include "daemon/collect/stack_source.h"
#include "daemon/os/clock.h"
#include "daemon/target/children.h"
#include "daemon/target/modules.h"

namespace pycroscope {
namespace {

using std::chrono::milliseconds;
using Arguments = std::vector<std::string>;

constexpr int64_t kHousekeepingNs = 1'000'000'000;
// A program that has just been started becomes a Python within milliseconds, or perhaps much later, or never.
constexpr int64_t kFirstLookNs = 500'000, kLongestLookNs = 1'000'000'000;
constexpr milliseconds kPauseWhileStarting{1};

// A program that a followed process has started to execute, while its Python is not known.
struct Search {
  int64_t next_ns = 0;
  int64_t pause_ns = kFirstLookNs;
};

// Adds the CPU time of its life to a sum.
class CpuMeter {
 public:
  explicit CpuMeter(int64_t& sum_ns) : sum_ns_(sum_ns), begin_ns_(thread_cpu_ns()) {}
  ~CpuMeter() { sum_ns_ += thread_cpu_ns() - begin_ns_; }
  CpuMeter(const CpuMeter&) = delete;
  CpuMeter& operator=(const CpuMeter&) = delete;

 private:
  int64_t& sum_ns_;
  const int64_t begin_ns_;
};

class SampleCollector final : public Collector {
 public:
  SampleCollector(CollectContext context, std::unique_ptr<StackSource> source)
      : context_(std::move(context)),
        period_ns_(static_cast<int64_t>(1e9 / context_.config.rate_hz())),
        source_(std::move(source)) {}

  Status start(EventSink& sink) {
    SampledProcess& target = add(context_.process, 0, sink.symbols());
    if (context_.python) target.set_python(*context_.python);
    target.look_for_tasks(monotonic_ns());
    PYC_CHECK(source_->watch(context_.process, target.python()));
    if (!context_.config.subprocesses()) return {};
    for (const pid_t pid : descendants(context_.process->pid())) PYC_CHECK(add_descendant(pid, sink.symbols()));
    return {};
  }

  Status drain(EventSink& sink, milliseconds timeout) override {
    PYC_CHECK(drain_source(sink, searches_.empty() ? timeout : std::min(timeout, kPauseWhileStarting)));
    PYC_CHECK(search_pythons());
    const int64_t now = monotonic_ns();
    for (auto& [pid, process] : processes_) {
      process.name_threads(now, sink.symbols());
      if (process.look_for_tasks(now)) source_->watch_tasks(pid, process.python()->tasks);
    }
    if (now < housekeeping_ns_ + kHousekeepingNs) return {};
    housekeeping_ns_ = now;
    PYC_CHECK(account(sink));
    drop_ended();
    return {};
  }

  void set_stride(uint32_t stride) override { source_->set_stride(stride); }

  int64_t naming_cpu_ns() const override { return naming_cpu_ns_; }

  bool alive() const override {
    return std::ranges::any_of(processes_, [](const auto& entry) { return entry.second.process()->alive(); });
  }

  Status stop(EventSink& sink) override {
    PYC_CHECK(source_->stop());
    for (uint64_t before = records_ + 1; before != records_;) {
      before = records_;
      PYC_CHECK(drain_source(sink, milliseconds(0)));
    }
    for (auto& [pid, process] : processes_) process.name_threads(monotonic_ns(), sink.symbols());
    PYC_CHECK(account(sink));
    // Waits that ended after the last drain, so that they were not among those that still lasted.
    PYC_CHECK(drain_source(sink, milliseconds(0)));
    // A recording without a single stack although there were ticks is a failure, and says of what.
    std::string failures = source_->explain_failures();
    if (recorded_ == 0 && !failures.empty()) return fail(ErrorCode::kFailed, std::move(failures));
    return {};
  }

 private:
  SampledProcess& add(std::shared_ptr<const Process> process, uint32_t parent, Symbols& symbols) {
    const pid_t pid = process->pid();
    const std::string command = fmt::format("{}", fmt::join(process->command().value_or(Arguments{}), " "));
    const ProcessId id =
        symbols.intern_process({.pid = pid, .command = symbols.intern_string(command), .parent = parent});
    processes_.erase(pid);
    ended_.erase(pid);
    return processes_.try_emplace(pid, std::move(process), id).first->second;
  }

  // A process that was there before the recording.
  Status add_descendant(pid_t pid, Symbols& symbols) {
    auto process = Process::open(pid);
    if (!process || !context_.may_watch(*process)) return {};
    const auto parent = processes_.find(process->parent());
    const uint32_t parent_index = parent == processes_.end() ? 0 : index(parent->second.id()) + 1;
    auto shared = std::make_shared<const Process>(*std::move(process));
    add(shared, parent_index, symbols);
    searches_.try_emplace(pid);
    const Status watched = source_->watch(shared, nullptr);
    if (!watched && watched.error().code == ErrorCode::kTargetGone) return {};
    return watched;
  }

  Status drain_source(EventSink& sink, milliseconds timeout) {
    return source_->drain(timeout, [&](std::span<const std::byte> record) { visit(record, sink); });
  }

  void visit(std::span<const std::byte> record, EventSink& sink) {
    ++records_;
    pyc_sample sample;
    pyc_code_record code;
    pyc_task_record task;
    pyc_lifecycle lifecycle;
    if (record_is(record, PYC_RECORD_SAMPLE, sample)) {
      add_sample(sample, record.subspan(sizeof sample), sink);
    } else if (record_is(record, PYC_RECORD_CODE, code)) {
      const CpuMeter meter(naming_cpu_ns_);
      if (SampledProcess* process = find(code.tgid)) process->add_code(record, sink.symbols());
    } else if (record_is(record, PYC_RECORD_TASK, task)) {
      if (SampledProcess* process = find(task.tgid)) process->add_task(record, sink.symbols());
    } else if (record_is(record, PYC_RECORD_LIFECYCLE, lifecycle)) {
      if (lifecycle.event == PYC_LIFECYCLE_FORK)
        on_fork(lifecycle, sink.symbols());
      else
        on_exec(lifecycle, sink.symbols());
    }
  }

  SampledProcess* find(uint32_t tgid) {
    const auto it = processes_.find(static_cast<pid_t>(tgid));
    return it == processes_.end() ? nullptr : &it->second;
  }

  // A child is a copy of its parent, down to the addresses.
  void on_fork(const pyc_lifecycle& lifecycle, Symbols& symbols) {
    const SampledProcess* parent = find(lifecycle.parent);
    if (!parent) return;
    const auto pid = static_cast<pid_t>(lifecycle.tgid);
    auto process = Process::open(pid);
    // It may have ended already; its samples are still to come.
    auto shared = std::make_shared<const Process>(process ? *std::move(process) : Process::ended(pid));
    SampledProcess& child = add(std::move(shared), index(parent->id()) + 1, symbols);
    if (parent->python()) child.set_python(*parent->python());
  }

  void on_exec(const pyc_lifecycle& lifecycle, Symbols& symbols) {
    const SampledProcess* before = find(lifecycle.tgid);
    if (!before) return;
    const auto pid = static_cast<pid_t>(lifecycle.tgid);
    const uint32_t parent = symbols.process(before->id()).parent;
    auto process = Process::open(pid);
    if (process && !context_.may_watch(*process)) {
      source_->forget(pid);
      processes_.erase(pid);
      searches_.erase(pid);
      return;
    }
    add(std::make_shared<const Process>(process ? *std::move(process) : Process::ended(pid)), parent, symbols);
    searches_.insert_or_assign(pid, Search{});
    report_program(*find(lifecycle.tgid));
  }

  void report_program(const SampledProcess& process) const {
    if (process.process()->pid() == context_.process->pid()) context_.on_program(*process.process(), process.python());
  }

  // Looks where the Pythons of started programs are; as long as they start, often.
  Status search_pythons() {
    if (searches_.empty()) return {};
    const CpuMeter meter(naming_cpu_ns_);
    for (auto it = searches_.begin(); it != searches_.end();) {
      auto& [pid, search] = *it;
      const auto process = processes_.find(pid);
      const bool over = process == processes_.end() || !process->second.process()->alive();
      if (over || look_for_python(process->second, search))
        it = searches_.erase(it);
      else
        ++it;
    }
    return {};
  }

  // True when nothing is left to be looked for.
  bool look_for_python(SampledProcess& process, Search& search) {
    const int64_t now = monotonic_ns();
    if (now < search.next_ns) return false;
    search.next_ns = now + search.pause_ns;
    search.pause_ns = std::min(search.pause_ns * 3 / 2, kLongestLookNs);
    auto found = find_python(LiveModules(*process.process()), LiveMemory(process.process()->pid()));
    if (!found) return false;
    process.set_python(*std::move(found));
    process.look_for_tasks(now);
    report_program(process);
    // A layout that cannot be followed leaves the process without Python frames.
    static_cast<void>(source_->watch(process.process(), process.python()));
    return true;
  }

  // In gil mode: whoever holds the GIL; where there is none, whoever runs.
  bool wanted(const pyc_sample& sample, const SampledProcess& process) const {
    if (context_.config.mode() != v1::SAMPLE_MODE_GIL || (sample.flags & PYC_SAMPLE_HOLDS_GIL) != 0) return true;
    const bool has_gil = process.python() && process.python()->layout.free_threaded == 0;
    return !has_gil && (sample.flags & (PYC_SAMPLE_WAITED | PYC_SAMPLE_NO_PYTHON)) == 0;
  }

  // What a sample stands for.
  struct Ticks {
    uint64_t count;
    int64_t first_ns;
    int64_t period_ns;
  };

  Ticks ticks_of(const pyc_sample& sample, EventSink& sink) const {
    const int64_t period_ns = period_ns_ * sample.stride;
    if ((sample.flags & PYC_SAMPLE_WAITED) == 0) return {1, static_cast<int64_t>(sample.time_ns), period_ns};
    const TickGrid all = source_->grid(), kept = all.coarser(sample.stride);
    const uint64_t count = kept.between(sample.wait_begin_ns, sample.time_ns);
    sink.add_loss(v1::LOSS_REASON_SELF_LIMIT, all.between(sample.wait_begin_ns, sample.time_ns) - count);
    return {count, static_cast<int64_t>(kept.time_of(kept.tick_after(sample.wait_begin_ns))), period_ns};
  }

  void add_sample(const pyc_sample& sample, std::span<const std::byte> frames, EventSink& sink) {
    SampledProcess* process = find(sample.tgid);
    if (process && !wanted(sample, *process)) return;
    const Ticks ticks = ticks_of(sample, sink);
    if (ticks.count == 0) return;
    if (!process) return sink.add_loss(v1::LOSS_REASON_UNKNOWN_CODE, ticks.count);
    Symbols& symbols = sink.symbols();
    const std::span stack_frames(reinterpret_cast<const pyc_frame*>(frames.data()), sample.frame_count);
    const auto stack = process->stack(sample, stack_frames, static_cast<int64_t>(sample.time_ns), symbols);
    if (!stack) return sink.add_loss(v1::LOSS_REASON_UNKNOWN_CODE, ticks.count);
    Sample row{.time_ns = std::max<int64_t>(0, ticks.first_ns - context_.session_start_ns),
               .thread = process->thread(sample, symbols),
               .stack = *stack,
               .labels = labels_.of(sample, process->task(sample), symbols),
               .weight_ns = ticks.period_ns,
               .truncated = (sample.flags & PYC_SAMPLE_TRUNCATED) != 0};
    for (uint64_t i = 0; i < ticks.count; ++i, row.time_ns += ticks.period_ns) sink.add(row);
    recorded_ += ticks.count;
  }

  // Adds the losses since the last call.
  Status account(EventSink& sink) {
    PYC_TRY(const auto losses, source_->account([&](std::span<const std::byte> record) { visit(record, sink); }));
    for (const LossCount& loss : losses) sink.add_loss(loss.reason, loss.count);
    return {};
  }

  // One round later, since the last records of a process come after its end.
  void drop_ended() {
    for (const pid_t pid : ended_) processes_.erase(pid);
    ended_.clear();
    for (const auto& [pid, process] : processes_)
      if (pid != context_.process->pid() && !process.process()->alive()) ended_.insert(pid);
  }

  const CollectContext context_;
  const int64_t period_ns_;
  std::unique_ptr<StackSource> source_;
  std::map<pid_t, SampledProcess> processes_;
  std::map<pid_t, Search> searches_;
  std::set<pid_t> ended_;
  SampleLabels labels_;
  int64_t naming_cpu_ns_ = 0;
  uint64_t records_ = 0;   // of the source
  uint64_t recorded_ = 0;  // samples
  int64_t housekeeping_ns_ = monotonic_ns();
};

}  // namespace

Result<std::unique_ptr<Collector>> start_sample_collector(CollectContext context, EventSink& sink,
                                                          std::unique_ptr<StackSource> source) {
  auto collector = std::make_unique<SampleCollector>(std::move(context), std::move(source));
  PYC_CHECK(collector->start(sink));
  return collector;
}

}  // namespace pycroscope

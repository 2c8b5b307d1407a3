#include "daemon/collect/read_source.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <numeric>
#include <random>
#include <utility>

#include "daemon/collect/kernel_errors.h"
#include "daemon/collect/loss_sums.h"
#include "daemon/collect/process_family.h"
#include "daemon/collect/read_process.h"
#include "daemon/collect/tick_grid.h"
#include "daemon/os/clock.h"
#include "daemon/os/descriptor_limit.h"
#include "daemon/target/process_use.h"

namespace pycroscope {
namespace {

using std::chrono::milliseconds;

constexpr uint64_t kFamilyNs = 10'000'000;

void sleep_until(uint64_t time_ns) {
  const timespec time{.tv_sec = static_cast<time_t>(time_ns / 1'000'000'000),
                      .tv_nsec = static_cast<long>(time_ns % 1'000'000'000)};
  // A signal ends the wait early: there is then nothing to do yet.
  ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr);
}

uint64_t now_ns() { return static_cast<uint64_t>(monotonic_ns()); }

class ReadSource final : public StackSource {
 public:
  explicit ReadSource(const v1::RecordingConfig& config)
      : mode_(config.mode()),
        follow_children_(config.subprocesses()),
        grid_{.origin_ns = now_ns(), .period_ns = static_cast<uint64_t>(1e9 / config.rate_hz())} {}

  Status watch(std::shared_ptr<const Process> process, const PythonRuntime* python) override {
    const pid_t pid = process->pid();
    PYC_CHECK(ThreadFiles::open(pid, pid));
    if (python) PYC_CHECK(LiveMemory(pid).read<uint64_t>(python->runtime));
    if (const auto before = processes_.find(pid); before != processes_.end()) {
      before->second.visit_waits([this](auto record) { left_.emplace_back(record.begin(), record.end()); });
      end(before);
    }
    family_.add(pid);
    add(std::move(process), python, process_cpu_ns(pid));
    return {};
  }

  void watch_tasks(pid_t pid, const pyc_tasks& tasks) override {
    if (const auto process = processes_.find(pid); process != processes_.end()) process->second.watch_tasks(tasks);
  }

  void forget(pid_t pid) override {
    if (const auto process = processes_.find(pid); process != processes_.end()) end(process);
    family_.remove(pid);
  }

  Status drain(milliseconds timeout, const RecordVisitor& visit) override {
    for (const auto& record : std::exchange(left_, {})) visit(record);
    if (stopped_) return {};
    const uint64_t deadline = now_ns() + static_cast<uint64_t>(std::chrono::nanoseconds(timeout).count());
    for (uint64_t wake = wake_ns(); wake <= deadline; wake = wake_ns()) {
      sleep_until(wake);
      if (now_ns() >= next_look_ns_) look_at_family(visit);
      if (now_ns() >= next_tick_ns()) take_tick(visit);
    }
    sleep_until(deadline);
    return {};
  }

  Result<std::vector<LossCount>> account(const RecordVisitor& visit) override {
    for (auto& [pid, process] : processes_) {
      process.visit_waits(visit);
      add_losses(process.take_losses(stopped_));
    }
    LossSums losses;
    losses.add_errors(losses_.errors);
    losses.add(v1::LOSS_REASON_LATE_TICK, losses_.late);
    losses.add(v1::LOSS_REASON_SELF_LIMIT, losses_.skipped);
    losses_ = {};
    return losses.counts();
  }

  Status stop() override {
    stopped_ = true;
    return {};
  }

  void set_stride(uint32_t stride) override { stride_ = stride; }
  TickGrid grid() const override { return grid_; }
  std::string explain_failures() const override {
    return explain_errors(std::accumulate(std::begin(errors_), std::end(errors_), uint64_t{0}), errors_);
  }

 private:
  using Processes = std::map<pid_t, ReadProcess>;

  void add(std::shared_ptr<const Process> process, const PythonRuntime* python, uint64_t cpu_begin_ns) {
    const pid_t pid = process->pid();
    processes_.try_emplace(pid, std::move(process), python, mode_, grid_, cpu_begin_ns);
  }

  Processes::iterator end(Processes::iterator process) {
    add_losses(process->second.take_losses(true));
    return processes_.erase(process);
  }

  void add_losses(const ReadLosses& losses) {
    losses_.late += losses.late;
    losses_.skipped += losses.skipped;
    for (int id = 0; id < PYC_ERROR_COUNT; ++id) {
      losses_.errors[id] += losses.errors[id];
      errors_[id] += losses.errors[id];
    }
  }

  uint64_t wake_ns() const { return std::min(next_tick_ns(), next_look_ns_); }
  // Within the time of a tick the moment is left to chance: what the target does at a fixed rate of its own would else
  // always, or never, be seen.
  uint64_t next_tick_ns() const { return grid_.time_of(next_tick_) + delay_ns_; }

  void take_tick(const RecordVisitor& visit) {
    // To wake up takes its time, so that it may be the next one's time by now: late is what comes a period too late.
    const uint64_t missed = is_first_tick_ ? 0 : (now_ns() - next_tick_ns()) / grid_.period_ns;
    const uint64_t tick = is_first_tick_ ? grid_.tick_at(now_ns()) : next_tick_ + missed;
    is_first_tick_ = false;
    for (auto& [pid, process] : processes_)
      process.take_tick({.number = tick, .missed = missed, .stride = stride_}, visit);
    next_tick_ = tick + stride_;
    delay_ns_ = std::uniform_int_distribution<uint64_t>(0, grid_.period_ns - 1)(random_);
  }

  void look_at_family(const RecordVisitor& visit) {
    next_look_ns_ = now_ns() + kFamilyNs;
    for (auto it = processes_.begin(); it != processes_.end();) {
      const bool is_alive = it->second.process()->alive();
      if (!is_alive) {
        it->second.visit_waits(visit);
        family_.remove(it->first);
      }
      it = is_alive ? std::next(it) : end(it);
    }
    for (const FamilyEvent& event : family_.look(follow_children_)) {
      if (event.event == PYC_LIFECYCLE_FORK)
        on_fork(event, visit);
      else
        on_exec(event, visit);
    }
  }

  // A child is a copy of its parent.
  void on_fork(const FamilyEvent& event, const RecordVisitor& visit) {
    const auto parent = processes_.find(event.parent);
    auto child = Process::open(event.pid);
    if (parent == processes_.end() || !child) return family_.remove(event.pid);
    add(std::make_shared<const Process>(*std::move(child)), parent->second.python(), 0);
    visit_lifecycle(event, visit);
  }

  // Another program: whoever drains us will say where its Python is, or that it is not to be looked into.
  void on_exec(const FamilyEvent& event, const RecordVisitor& visit) {
    const auto before = processes_.find(event.pid);
    if (before == processes_.end()) return;
    before->second.visit_waits(visit);
    auto process = before->second.process();
    end(before);
    add(std::move(process), nullptr, process_cpu_ns(event.pid));
    visit_lifecycle(event, visit);
  }

  static void visit_lifecycle(const FamilyEvent& event, const RecordVisitor& visit) {
    const pyc_lifecycle record{.type = PYC_RECORD_LIFECYCLE,
                               .event = event.event,
                               .time_ns = now_ns(),
                               .tgid = static_cast<uint32_t>(event.pid),
                               .parent = static_cast<uint32_t>(event.parent)};
    visit(std::as_bytes(std::span(&record, 1)));
  }

  const v1::SampleMode mode_;
  const bool follow_children_;
  const TickGrid grid_;
  Processes processes_;
  ProcessFamily family_;
  std::vector<std::vector<std::byte>> left_;  // records for the next drain
  ReadLosses losses_;                         // not yet accounted for
  uint64_t errors_[PYC_ERROR_COUNT]{};        // of all time
  uint64_t next_tick_ = 0;
  uint32_t stride_ = 1;
  uint64_t delay_ns_ = 0;
  uint64_t next_look_ns_ = 0;
  std::minstd_rand random_;
  bool is_first_tick_ = true;
  bool stopped_ = false;
};

}  // namespace

std::unique_ptr<StackSource> start_read_source(const v1::RecordingConfig& config) {
  raise_descriptor_limit();
  return std::make_unique<ReadSource>(config);
}

}  // namespace pycroscope

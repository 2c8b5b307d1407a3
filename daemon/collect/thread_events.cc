#include "daemon/collect/thread_events.h"

#include <fmt/format.h>

#include "daemon/os/descriptor_limit.h"
#include "daemon/os/file.h"
#include "daemon/target/proc_text.h"
#include "daemon/target/thread_files.h"

namespace pycroscope {
namespace {

// More periods than a tick may be late.
constexpr uint64_t kDoubtPeriods = 5;
constexpr int kMaxScans = 16;

}  // namespace

Result<ThreadEvents> ThreadEvents::start(std::shared_ptr<const Process> process, uint64_t period_ns,
                                         CpuClockEvent::Inherit inherit, int bpf_program) {
  raise_descriptor_limit();
  const pid_t pid = process->pid();
  ThreadEvents events(std::move(process), period_ns, inherit, bpf_program);
  std::unordered_set<pid_t> known;
  for (int scan = 0; scan < kMaxScans; ++scan) {
    bool found = false;
    for (const pid_t tid : thread_ids(pid)) {
      if (!known.insert(tid).second) continue;
      found = true;
      if (scan == 0) {
        PYC_CHECK(events.add(tid));
      } else if (const auto time = events.cpu_time_ns(tid)) {
        events.doubtful_.emplace(tid, *time);
      }
    }
    if (!found) break;
  }
  if (!events.events_.empty()) return events;
  if (!events.process_->alive()) return fail(ErrorCode::kTargetGone, fmt::format("process {} has ended", pid));
  return fail(ErrorCode::kFailed, fmt::format("cannot list the threads of process {}", pid));
}

Status ThreadEvents::add(pid_t tid) {
  auto event = CpuClockEvent::open(tid, period_ns_, inherit_);
  if (!event && event.error().code == ErrorCode::kTargetGone) return {};
  if (!event) return std::unexpected(event.error());
  PYC_CHECK(event->attach(bpf_program_));
  PYC_CHECK(event->start());
  events_.push_back(*std::move(event));
  return {};
}

std::optional<uint64_t> ThreadEvents::cpu_time_ns(pid_t tid) const {
  // Documentation/scheduler/sched-stats.rst: time on a CPU in nanoseconds, time waiting, time slices.
  const auto text = read_file(fmt::format("/proc/{}/task/{}/schedstat", process_->pid(), tid), 256);
  if (!text) return std::nullopt;
  return parse_number<uint64_t>(std::string_view(*text).substr(0, text->find(' ')));
}

Status ThreadEvents::settle(const std::unordered_set<pid_t>& ticked) {
  for (auto it = doubtful_.begin(); it != doubtful_.end();) {
    const auto [tid, time_before] = *it;
    const auto time = ticked.contains(tid) ? std::nullopt : cpu_time_ns(tid);
    const bool missed = time && *time - time_before > kDoubtPeriods * period_ns_;
    if (missed) PYC_CHECK(add(tid));
    it = missed || !time ? doubtful_.erase(it) : std::next(it);
  }
  return {};
}

Status ThreadEvents::stop() {
  for (CpuClockEvent& event : events_) PYC_CHECK(event.stop());
  return {};
}

Result<uint64_t> ThreadEvents::expected_ticks() const {
  uint64_t ticks = 0;
  for (const CpuClockEvent& event : events_) {
    PYC_TRY(const uint64_t time, event.cpu_time_ns());
    ticks += time / period_ns_;
  }
  return ticks;
}

}  // namespace pycroscope

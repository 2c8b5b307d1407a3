#include "daemon/collect/read_process.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "daemon/os/clock.h"
#include "daemon/target/process_use.h"

namespace pycroscope {
namespace {

// A look at which threads there are costs some microseconds and more with each thread.
constexpr uint64_t kScanNs = 20'000'000, kScanPerThreadNs = 100'000;
// With more threads than this only those are looked at that have run lately.
constexpr size_t kFewThreads = 16;

std::optional<PythonRuntime> copy_of(const PythonRuntime* python) {
  return python ? std::optional(*python) : std::nullopt;
}

}  // namespace

ReadProcess::ReadProcess(std::shared_ptr<const Process> process, const PythonRuntime* python, v1::SampleMode mode,
                         TickGrid grid, uint64_t cpu_begin_ns)
    : process_(std::move(process)),
      python_(copy_of(python)),
      // Without a GIL whoever runs counts as if he held it.
      mode_(mode == v1::SAMPLE_MODE_GIL && python && python->layout.free_threaded != 0 ? v1::SAMPLE_MODE_CPU : mode),
      grid_(grid),
      memory_(process_->pid()),
      cpu_begin_ns_(cpu_begin_ns),
      cpu_ns_(cpu_begin_ns) {
  if (python_) walker_.emplace(*process_, memory_, *python_);
}

void ReadProcess::scan(const RecordVisitor& visit) {
  const std::vector<pid_t> ids = thread_ids(process_->pid());
  for (auto it = threads_.begin(); it != threads_.end();) {
    auto& [tid, thread] = *it++;
    if (!std::ranges::binary_search(ids, tid)) end_thread(thread, visit);
  }
  for (const pid_t tid : ids) {
    if (threads_.contains(tid)) continue;
    if (auto files = ThreadFiles::open(process_->pid(), tid)) threads_.try_emplace(tid, tid, *std::move(files));
  }
  active_.clear();
  for (auto& [tid, thread] : threads_)
    if (mode_ == v1::SAMPLE_MODE_WALL || threads_.size() <= kFewThreads || thread.was_active())
      active_.push_back(&thread);
}

void ReadProcess::take_tick(const GridTick& tick, const RecordVisitor& visit) {
  tick_ = tick;
  if (mode_ == v1::SAMPLE_MODE_GIL) return sample_gil_holders(visit);
  if (grid_.time_of(tick.number) >= next_scan_ns_) {
    scan(visit);
    next_scan_ns_ = grid_.time_of(tick.number) + kScanNs + kScanPerThreadNs * threads_.size();
  }
  cpu_ns_ = std::max(cpu_ns_, process_cpu_ns(process_->pid()));
  std::erase_if(active_, [&](ReadThread* thread) {
    if (sample_thread(*thread, visit)) return false;
    end_thread(*thread, visit);
    return true;
  });
}

void ReadProcess::end_thread(ReadThread& thread, const RecordVisitor& visit) {
  if (thread.wait) end_wait(thread, tick_.number, visit);
  if (walker_) walker_->forget(thread.tid());
  threads_.erase(thread.tid());
}

bool ReadProcess::sample_thread(ReadThread& thread, const RecordVisitor& visit) {
  using enum ReadThread::Activity;
  const auto activity = thread.look(grid_.period_ns);
  if (activity == kEnded) return false;
  const bool wall = mode_ == v1::SAMPLE_MODE_WALL;
  if (activity == kStillWaits || (activity != kRuns && !wall)) return true;
  if (thread.wait) end_wait(thread, tick_.number - tick_.missed - tick_.stride, visit);
  losses_.late += tick_.missed;
  if (activity != kRuns) {
    begin_wait(thread, visit);
    return true;
  }
  thread.charge(tick_.stride);
  losses_.skipped += tick_.stride - 1;
  if (!walk(thread, visit, stack_)) return true;
  ++losses_.errors[PYC_OK];
  write(stack_, visit);
  return true;
}

void ReadProcess::sample_gil_holders(const RecordVisitor& visit) {
  if (!walker_) return;
  const std::vector<pid_t> holders = walker_->gil_holders();
  losses_.late += tick_.missed * holders.size();
  losses_.skipped += (tick_.stride - 1) * holders.size();
  for (const pid_t tid : holders) {
    const pyc_error error = walker_->walk(tid, visit, stack_);
    ++losses_.errors[error];
    if (error != PYC_OK) continue;
    stack_.sample.time_ns = static_cast<uint64_t>(monotonic_ns());
    // It held it a moment ago, whatever it does by now.
    stack_.sample.flags |= PYC_SAMPLE_HOLDS_GIL;
    write(stack_, visit);
  }
}

bool ReadProcess::walk(const ReadThread& thread, const RecordVisitor& visit, RemoteStack& stack) {
  stack.reset(process_->pid(), thread.tid());
  const pyc_error error = walker_ ? walker_->walk(thread.tid(), visit, stack) : PYC_OK;
  if (error != PYC_OK) ++losses_.errors[error];
  stack.sample.time_ns = static_cast<uint64_t>(monotonic_ns());
  if ((stack.sample.flags & PYC_SAMPLE_NO_PYTHON) != 0) stack.sample.user_ip = thread.state().instruction;
  return error == PYC_OK;
}

void ReadProcess::begin_wait(ReadThread& thread, const RecordVisitor& visit) {
  RemoteStack stack;
  if (!walk(thread, visit, stack)) return thread.look_anew();
  stack.describe_wait(thread.state());
  thread.wait.emplace(ReadThread::Wait{.stack = std::move(stack), .first_tick = tick_.number - tick_.stride + 1});
}

void ReadProcess::end_wait(ReadThread& thread, uint64_t last_tick, const RecordVisitor& visit) {
  ReadThread::Wait wait = *std::exchange(thread.wait, std::nullopt);
  if (last_tick < wait.first_tick) return;
  // Just before its first tick.
  wait.stack.sample.wait_begin_ns = grid_.time_of(wait.first_tick) - 1;
  wait.stack.sample.time_ns = grid_.time_of(last_tick);
  write(wait.stack, visit);
}

void ReadProcess::visit_waits(const RecordVisitor& visit) {
  for (auto& [tid, thread] : threads_) {
    if (!thread.wait) continue;
    ReadThread::Wait rest = *thread.wait;
    rest.first_tick = tick_.number + 1;
    end_wait(thread, tick_.number, visit);
    thread.wait = std::move(rest);
  }
}

ReadLosses ReadProcess::take_losses(bool final) {
  ReadLosses losses = std::exchange(losses_, {});
  uint64_t ticks = losses.skipped;
  for (const uint64_t count : losses.errors) ticks += count;
  happened_ += ticks;
  if (mode_ == v1::SAMPLE_MODE_CPU) {
    // CPU time says how many there should have been; more than that cannot have been late.
    const uint64_t expected = (cpu_ns_ - cpu_begin_ns_) / grid_.period_ns;
    const uint64_t absent = expected > happened_ ? expected - happened_ : 0;
    losses_.late = final ? 0 : losses.late - std::min(losses.late, absent);
    losses.late = final ? absent : std::min(losses.late, absent);
  }
  happened_ += losses.late;
  return losses;
}

void ReadProcess::write(const RemoteStack& stack, const RecordVisitor& visit) {
  const size_t frames = stack.frames.size() * sizeof(pyc_frame);
  record_.resize(sizeof stack.sample + frames);
  pyc_sample sample = stack.sample;
  sample.stride = tick_.stride;
  std::memcpy(record_.data(), &sample, sizeof sample);
  if (frames != 0) std::memcpy(record_.data() + sizeof stack.sample, stack.frames.data(), frames);
  visit(record_);
}

}  // namespace pycroscope

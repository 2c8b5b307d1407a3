// An EventSink in memory, and recording a Python process into it.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/collect/collector.h"
#include "daemon/collect/kernel_source.h"
#include "daemon/os/clock.h"
#include "daemon/python/interpreter.h"
#include "daemon/target/live_memory.h"

namespace pycroscope {

class MemorySink final : public EventSink {
 public:
  Symbols& symbols() override { return symbols_; }
  void add(const Sample& sample) override { samples_.push_back(sample); }
  void add_trace(const TraceColumns& slice, int64_t) override { trace_.append(slice); }
  void add_loss(v1::LossReason reason, uint64_t count) override { losses_[reason] += count; }

  const std::vector<Sample>& samples() const { return samples_; }
  const TraceColumns& trace() const { return trace_; }
  const std::map<v1::LossReason, uint64_t>& losses() const { return losses_; }
  uint64_t lost(v1::LossReason reason) const { return losses_.contains(reason) ? losses_.at(reason) : 0; }
  uint64_t lost() const {
    uint64_t sum = 0;
    for (const auto& [reason, count] : losses_) sum += count;
    return sum;
  }

  struct Frame {
    std::string name, file;
    uint32_t first_line, line;
    v1::FrameKind kind;
  };
  // Leaf first.
  std::vector<Frame> frames(StackId stack) const {
    std::vector<Frame> frames;
    for (; stack != StackId{}; stack = symbols_.stack(stack).parent) {
      const Location& location = symbols_.location(symbols_.stack(stack).location);
      const Function& function = symbols_.function(location.function);
      frames.push_back({std::string(symbols_.string(function.name)),
                        std::string(symbols_.string(symbols_.file(function.file).path)), function.first_line,
                        location.line, function.kind});
    }
    return frames;
  }
  std::string thread_name(ThreadId thread) const { return std::string(symbols_.string(symbols_.thread(thread).name)); }

 private:
  Symbols symbols_;
  std::vector<Sample> samples_;
  TraceColumns trace_;
  std::map<v1::LossReason, uint64_t> losses_;
};

// Records `pid` from `source` for `duration`, or until there are `enough` samples.
inline Status record(pid_t pid, const v1::RecordingConfig& config, std::unique_ptr<StackSource> source,
                     std::chrono::milliseconds duration, MemorySink& sink, size_t enough = SIZE_MAX) {
  PYC_TRY(Process process, Process::open(pid));
  PYC_TRY(const PythonRuntime python, find_python(process, LiveMemory(pid)));
  const auto start = std::chrono::steady_clock::now();
  const CollectContext context{.process = std::make_shared<const Process>(std::move(process)),
                               .python = python,
                               .config = config,
                               .session_start_ns = monotonic_ns(),
                               .may_watch = [](const Process&) -> Status { return {}; },
                               .on_program = [](const Process&, const PythonRuntime*) {}};
  PYC_TRY(const auto collector, start_sample_collector(context, sink, std::move(source)));
  while (std::chrono::steady_clock::now() < start + duration && sink.samples().size() < enough)
    PYC_CHECK(collector->drain(sink, std::chrono::milliseconds(20)));
  return collector->stop(sink);
}

// From the kernel, CPU time.
inline Status record(pid_t pid, double rate, std::chrono::milliseconds duration, MemorySink& sink,
                     size_t enough = SIZE_MAX) {
  v1::RecordingConfig config;
  config.set_mode(v1::SAMPLE_MODE_CPU);
  config.set_rate_hz(rate);
  PYC_TRY(auto sampler, load_sampler(config, nullptr));
  PYC_TRY(auto source, start_kernel_source(config, std::move(sampler)));
  return record(pid, config, std::move(source), duration, sink, enough);
}

}  // namespace pycroscope

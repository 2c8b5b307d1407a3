// A collector watches a target in one way and puts what it sees into the recording's EventSink.
//
// Life: create (attaches, may fail with a sentence) → drain every ~20 ms → stop. One owner thread: the recording's.
// After stop(), nothing of the collector remains in the kernel or the target.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "analysis/model/events.h"
#include "analysis/model/result.h"
#include "daemon/collect/stack_source.h"
#include "daemon/python/interpreter.h"
#include "daemon/target/process.h"
#include "pycroscope/v1/session.pb.h"

namespace pycroscope {

struct CollectContext {
  std::shared_ptr<const Process> process;
  // Nothing: the process is about to execute the program that is meant.
  std::optional<PythonRuntime> python;
  v1::RecordingConfig config;  // complete and valid
  int64_t session_start_ns;    // CLOCK_MONOTONIC of session time 0
  // Whether a process may be looked into, after it has executed another program.
  std::function<Status(const Process&)> may_watch;
  // `process` has executed another program, and later again when that one's Python has been found.
  std::function<void(const Process&, const PythonRuntime*)> on_program;
};

class Collector {
 public:
  virtual ~Collector() = default;
  // Waits at most `timeout` for something to drain, drains it.
  virtual Status drain(EventSink& sink, std::chrono::milliseconds timeout) = 0;
  // CPU time of the owner thread for what a lower rate hardly makes less: finding the Pythons of programs that start,
  // naming the code that runs.
  virtual int64_t naming_cpu_ns() const = 0;
  // Of its ticks only one of `stride` is recorded from now on.
  virtual void set_stride(uint32_t stride) = 0;
  // Whether anything is left that could be seen: false when all processes have ended.
  virtual bool alive() const = 0;
  // Ends the collection, drains what is left, adds the final losses.
  virtual Status stop(EventSink& sink) = 0;
};

// What can be recorded completely.
inline constexpr std::string_view kTraceNames[] = {"call", "c-call", "line",     "instruction",
                                                   "gc",   "import", "exception"};

// Records completely what `context.config.trace` names, by the probe (collect/trace_collector.cc). `sink` outlives it.
Result<std::unique_ptr<Collector>> start_trace_collector(CollectContext context, EventSink& sink);

// Samples stacks from `source` (collect/sample_collector.cc).
Result<std::unique_ptr<Collector>> start_sample_collector(CollectContext context, EventSink& sink,
                                                          std::unique_ptr<StackSource> source);

}  // namespace pycroscope

// A collector watches one target in one way and puts what it sees into the recording's EventSink.
//
// Life: create (attaches, may fail with a sentence) → drain every ~20 ms → stop → final drain. One owner thread: the
// recording's. After stop(), nothing of the collector remains in the kernel or the target.
#pragma once

#include <chrono>
#include <memory>

#include "analysis/model/events.h"
#include "analysis/model/result.h"
#include "daemon/python/interpreter.h"
#include "daemon/target/process.h"
#include "pycroscope/v1/session.pb.h"

namespace pycroscope {

class CpuSampler;  // collect/cpu_sampler.h

struct CollectContext {
  const Process& process;
  const TargetMemory& memory;
  const PythonRuntime& python;
  const v1::RecordingConfig& config;
  ProcessId process_id;      // of the target in sink.symbols()
  int64_t session_start_ns;  // CLOCK_MONOTONIC of session time 0
};

class Collector {
 public:
  virtual ~Collector() = default;
  // Waits at most `timeout` for something to drain, drains it.
  virtual Status drain(EventSink& sink, std::chrono::milliseconds timeout) = 0;
  // Ends the collection, drains what is left, adds the final losses.
  virtual Status stop(EventSink& sink) = 0;
};

// The on-CPU sampler (collect/cpu.cc). The context's process, memory and python must outlive it. `loaded` saves the
// time of loading the BPF program; it may be null.
Result<std::unique_ptr<Collector>> start_cpu_collector(const CollectContext& context, EventSink& sink,
                                                       std::unique_ptr<CpuSampler> loaded);
Result<std::unique_ptr<Collector>> start_cpu_collector(const CollectContext& context, EventSink& sink);

}  // namespace pycroscope

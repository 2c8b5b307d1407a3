// One process of a recording: what its records mean.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "daemon/collect/code_table.h"
#include "daemon/collect/native_places.h"
#include "daemon/collect/stack_table.h"
#include "daemon/collect/task_search.h"
#include "daemon/collect/task_table.h"
#include "daemon/collect/thread_table.h"
#include "daemon/python/interpreter.h"
#include "daemon/python/thread_names.h"
#include "daemon/target/live_memory.h"
#include "daemon/target/process.h"

namespace pycroscope {

// A process while it runs one program: when it executes another, another SampledProcess takes its place. One owner
// thread.
class SampledProcess {
 public:
  SampledProcess(std::shared_ptr<const Process> process, ProcessId id);
  SampledProcess(const SampledProcess&) = delete;
  SampledProcess& operator=(const SampledProcess&) = delete;

  const std::shared_ptr<const Process>& process() const { return process_; }
  ProcessId id() const { return id_; }
  // Null: not known (yet).
  const PythonRuntime* python() const { return python_ ? &python_->runtime : nullptr; }
  // Once.
  void set_python(PythonRuntime runtime);
  // To be called again and again. True when asyncio's tasks have just been found: python()->tasks says where.
  bool look_for_tasks(int64_t now_ns);

  // A pyc_code_record with its bytes.
  void add_code(std::span<const std::byte> record, Symbols& symbols);
  // A pyc_task_record with its name.
  void add_task(std::span<const std::byte> record, Symbols& symbols) { tasks_.add(record, symbols); }
  // Nothing: a frame's code object is unknown.
  std::optional<StackId> stack(const pyc_sample& sample, std::span<const pyc_frame> frames, int64_t now_ns,
                               Symbols& symbols);
  ThreadId thread(const pyc_sample& sample, Symbols& symbols);
  // Nothing: the thread executed none that is known.
  std::optional<StringId> task(const pyc_sample& sample) const { return tasks_.name(sample); }
  // To be called after each round of records.
  void name_threads(int64_t now_ns, Symbols& symbols) { threads_.update(now_ns, symbols); }

 private:
  struct Python {
    Python(const TargetMemory& memory, PythonRuntime found);
    PythonRuntime runtime;
    CodeTable codes;
    StackTable stacks;
    ThreadNameReader names;
    TaskSearch task_search;
  };

  std::shared_ptr<const Process> process_;
  ProcessId id_;
  LiveMemory memory_;
  std::unique_ptr<Python> python_;
  ThreadTable threads_;
  NativePlaces places_;
  TaskTable tasks_;
};

}  // namespace pycroscope

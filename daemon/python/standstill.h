// What a dump shows of a target that stands still: stopped, or in a core file.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "analysis/model/result.h"
#include "daemon/os/stopped_thread.h"
#include "daemon/python/code_object.h"
#include "daemon/python/frames.h"
#include "daemon/python/interpreter.h"
#include "daemon/python/locals.h"
#include "daemon/python/thread_names.h"
#include "daemon/target/target_memory.h"
#include "pycroscope/v1/service.pb.h"

namespace pycroscope {

// Everything that has to be read while the target stands still.
struct Standstill {
  struct Thread {
    PythonThread python;
    StoppedThread system;
    bool holds_gil = false;
    bool waits_for_gil = false;
    std::vector<std::vector<LocalVariable>> locals;  // of the frames, in their order; empty when not asked for
  };
  std::vector<Thread> threads;
  std::unordered_map<uint64_t, std::optional<CodeInfo>> codes;  // by address
  ThreadNames names;
};

struct StandstillOptions {
  bool locals = false;
  std::chrono::steady_clock::time_point deadline;  // frames that are not read by then have no locals
};

// `threads`: all threads of the target. Fails with kMemory, kTargetGone or kNotPermitted.
Result<Standstill> read_standstill(const TargetMemory& memory, const PythonRuntime& python,
                                   const std::vector<StoppedThread>& threads, const StandstillOptions& options);

// Adds the threads by ascending tid. `system_name`: what the system calls a thread that has no name in Python.
void fill_threads(const Standstill& still, const std::function<std::string(pid_t)>& system_name,
                  v1::DumpResponse& response);

}  // namespace pycroscope

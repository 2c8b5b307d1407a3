// The names that Python code gave its threads.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "analysis/model/result.h"
#include "daemon/python/interpreter.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

// By pthread_self() of the thread, which is PythonThread::thread_id and threading.Thread.ident.
using ThreadNames = std::unordered_map<uint64_t, std::string>;

// Reads threading._active of the main interpreter again and again. The target may run meanwhile: what does not look
// like a thread and its name at the moment is left out, and is there the next time. Not thread-safe.
class ThreadNameReader {
 public:
  // Both must outlive the reader.
  ThreadNameReader(const TargetMemory& memory, const PythonRuntime& python) : memory_(memory), python_(python) {}

  // The main thread is "MainThread" also where `threading` has not been imported. Names are UTF-8, of at most 200 code
  // points. Fails when the interpreter's own structures cannot be read: kMemory, kTargetGone or kNotPermitted.
  Result<ThreadNames> read();

 private:
  Result<ThreadNames> read_once();

  const TargetMemory& memory_;
  const PythonRuntime& python_;
  RemoteAddress active_;  // the dict threading._active, which lives as long as the module; null: not found yet
};

// The same, once.
Result<ThreadNames> python_thread_names(const TargetMemory& memory, const PythonRuntime& python);

}  // namespace pycroscope

// When to look where the asyncio of a followed process has its tasks: it is often imported long after the attach.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "daemon/python/interpreter.h"
#include "daemon/target/process.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

// Looks about once a second, and more often after the process has executed code of asyncio. One owner thread.
class TaskSearch {
 public:
  // A code object of the file `path` has come for the first time.
  void note_code(std::string_view path);
  // Looks if it is time to. Nothing: not now, or there is nothing yet.
  std::optional<pyc_tasks> look(const Process& process, const TargetMemory& memory, const PythonRuntime& python,
                                int64_t now_ns);

 private:
  static constexpr int64_t kShortestPauseNs = 10'000'000, kLongestPauseNs = 1'000'000'000;
  int64_t looked_ns_ = 0;
  int64_t pause_ns_ = kLongestPauseNs;
};

}  // namespace pycroscope

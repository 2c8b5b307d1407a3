#include "daemon/collect/task_search.h"

#include <algorithm>

#include "daemon/python/task_finder.h"
#include "daemon/target/modules.h"

namespace pycroscope {

void TaskSearch::note_code(std::string_view path) {
  if (path.find("/asyncio/") != path.npos) pause_ns_ = kShortestPauseNs;
}

std::optional<pyc_tasks> TaskSearch::look(const Process& process, const TargetMemory& memory,
                                          const PythonRuntime& python, int64_t now_ns) {
  if (now_ns - looked_ns_ < pause_ns_) return std::nullopt;
  looked_ns_ = now_ns;
  pause_ns_ = std::min(2 * pause_ns_, kLongestPauseNs);
  return find_tasks(LiveModules(process), memory, python);
}

}  // namespace pycroscope

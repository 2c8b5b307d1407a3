#include "daemon/collect/standing_waits.h"

#include <algorithm>
#include <memory>

#include "daemon/collect/remote_walker.h"
#include "daemon/os/clock.h"
#include "daemon/target/live_memory.h"
#include "daemon/target/thread_files.h"

namespace pycroscope {

void read_standing_waits(const Process& process, const PythonRuntime& python, const RecordVisitor& visit,
                         const std::function<void(const pyc_wait&)>& found) {
  const LiveMemory memory(process.pid());
  RemoteWalker walker(process, memory, python);
  RemoteStack stack;
  const auto wait = std::make_unique<pyc_wait>();
  for (const pid_t tid : thread_ids(process.pid())) {
    const auto files = ThreadFiles::open(process.pid(), tid);
    const auto state = files ? files->state() : std::nullopt;
    if (!state || state->runs) continue;
    const auto now = static_cast<uint64_t>(monotonic_ns());
    if (walker.walk(tid, visit, stack) != PYC_OK || stack.frames.size() > PYC_MAX_FRAMES) continue;
    stack.describe_wait(*state);
    *wait = {};
    wait->sample = stack.sample;
    wait->sample.wait_begin_ns = now;
    std::ranges::copy(stack.frames, wait->frames);
    found(*wait);
  }
}

}  // namespace pycroscope

// The exact walk of Python stacks: every interpreter, every thread state, every frame, over any TargetMemory. The
// target must not run meanwhile (stopped, or a core file); nothing here validates against a moving one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "analysis/model/result.h"
#include "daemon/python/interpreter.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

struct PythonFrame {
  RemoteAddress frame;  // its _PyInterpreterFrame
  RemoteAddress code;   // its code object; not yet checked to be one
  int32_t offset = 0;   // bytecode offset in bytes, negative before the first instruction
};

struct PythonThread {
  RemoteAddress tstate;
  uint64_t thread_id = 0;           // pthread_self() of the thread
  uint64_t native_id = 0;           // its tid in the target's own pid namespace, 0: not known
  int64_t interpreter = 0;          // 0 is the main interpreter
  std::vector<PythonFrame> frames;  // leaf first, without the shims of C calls
  bool truncated = false;           // the root-most frames are missing: more than the limit, or unreadable
};

// All threads of all interpreters, those of the main interpreter last, as the lists in the target have them. At most
// `max_frames` frames each. Fails with kMemory when a list of interpreters or threads cannot be read or does not end.
Result<std::vector<PythonThread>> walk_threads(const TargetMemory& memory, const PythonRuntime& python,
                                               size_t max_frames);

// The one whose thread state is at `tstate`; its interpreter is not looked up. Over memory that moves, what comes out
// is no better than what was read: callers compare.
Result<PythonThread> walk_thread(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress tstate,
                                 size_t max_frames);

}  // namespace pycroscope

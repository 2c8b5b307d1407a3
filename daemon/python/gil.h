// Who has the GIL.
#pragma once

#include <vector>

#include "analysis/model/result.h"
#include "daemon/python/interpreter.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

struct GilState {
  RemoteAddress begin;  // of struct _gil_runtime_state
  uint64_t size = 0;
  RemoteAddress holder;  // the thread state that holds it, null: nobody

  // With musl, the futexes of those that wait for it; glibc's are part of it.
  std::vector<RemoteAddress> stack_futexes;

  // Whether a thread that waits on the futex at `address` waits for the GIL.
  bool is_awaited_at(RemoteAddress address) const;
};

// The GIL of the interpreter that the thread state `tstate` belongs to; an empty one where it is disabled.
Result<GilState> read_gil_of(const TargetMemory& memory, const PythonRuntime& python, RemoteAddress tstate);

}  // namespace pycroscope

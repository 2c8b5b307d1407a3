// Who has the GIL.
#pragma once

#include "analysis/model/result.h"
#include "daemon/python/interpreter.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

struct GilState {
  RemoteAddress begin;  // of struct _gil_runtime_state
  uint64_t size = 0;
  RemoteAddress holder;  // the thread state that holds it, null: nobody

  // Threads that wait for the GIL wait on a futex that is part of it.
  bool contains(RemoteAddress address) const { return address >= begin && address < begin + size; }
};

// The GIL of the interpreter that the thread state `tstate` belongs to; an empty one where it is disabled.
Result<GilState> read_gil_of(const TargetMemory& memory, const PythonRuntime& python, RemoteAddress tstate);

}  // namespace pycroscope

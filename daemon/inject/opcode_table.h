// The table by which CPython finds the code that executes an opcode: opcode_targets in its Python/ceval.c, where it is
// built with computed gotos.
#pragma once

#include <span>

#include "daemon/python/interpreter.h"
#include "daemon/target/maps.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

struct OpcodeTable {
  RemoteAddress begin;  // null: it was not found
  bool writable = false;
};

// `maps`: of the module that Python is in; `evaluate`: _PyEval_EvalFrameDefault(), whose table it is.
OpcodeTable find_opcode_table(const TargetMemory& memory, std::span<const MapEntry> maps, RemoteAddress evaluate,
                              const pyc_layout& layout);

}  // namespace pycroscope

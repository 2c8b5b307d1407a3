// What modules of the target's main interpreter have under a name.
#pragma once

#include <string_view>

#include "analysis/model/result.h"
#include "daemon/python/interpreter.h"
#include "daemon/python/object_types.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

// Not thread-safe. The target may run meanwhile: what is found is as good as the memory it was read from.
class ModuleReader {
 public:
  // Both must outlive the reader.
  ModuleReader(const TargetMemory& memory, const PythonRuntime& python)
      : memory_(memory), python_(python), layout_(python.layout), types_(memory, python.layout) {}

  // The interpreter with id 0.
  Result<RemoteAddress> main_interpreter() const;
  // The global `name` of the module that is imported as `module`; null when there is none.
  Result<RemoteAddress> global(RemoteAddress interpreter, std::string_view module, std::string_view name);
  bool is(RemoteAddress object, ObjectKind kind);
  ObjectTypes& types() { return types_; }

 private:
  // Null when `dict` is no dict or has no such key.
  Result<RemoteAddress> find(RemoteAddress dict, std::string_view name);

  const TargetMemory& memory_;
  const PythonRuntime& python_;
  const pyc_layout& layout_;
  ObjectTypes types_;
};

}  // namespace pycroscope

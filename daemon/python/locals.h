// The local variables of Python frames.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "bpf/include/python_layout.h"
#include "daemon/python/frames.h"
#include "daemon/python/value_text.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

struct LocalVariable {
  std::string name;
  std::string text;  // see ValueText
};

// Over a target that does not run meanwhile. Not thread-safe.
class LocalsReader {
 public:
  LocalsReader(const TargetMemory& memory, const pyc_layout& layout)
      : memory_(memory), layout_(layout), values_(memory, layout) {}

  // In the order of co_localsplusnames: arguments, other locals, cells, free variables. Cells are looked into;
  // variables without a value are left out. What a module or class body assigns is in its namespace and is no local.
  // Empty when the frame cannot be read.
  std::vector<LocalVariable> read(const PythonFrame& frame);

 private:
  struct Variable {
    std::string name;
    bool is_cell = false;
  };
  Result<std::vector<Variable>> read_variables(RemoteAddress code) const;
  const std::vector<Variable>& variables_of(RemoteAddress code);

  const TargetMemory& memory_;
  const pyc_layout& layout_;
  ValueText values_;
  std::unordered_map<uint64_t, std::vector<Variable>> variables_;  // by address of the code object
};

}  // namespace pycroscope

// The local variables of Python frames.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
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

  // Arguments, other locals, cells, free variables; before 3.11 an argument that is a cell comes with the cells. Cells
  // are looked into;
  // variables without a value are left out. What a module or class body assigns is in its namespace and is no local.
  // Empty when the frame cannot be read.
  std::vector<LocalVariable> read(const PythonFrame& frame);

 private:
  struct Variable {
    std::string name;
    bool is_cell = false;
  };
  // Appends those that the tuple `names` lists.
  Status add_variables(RemoteAddress names, bool are_cells, std::vector<Variable>& variables) const;
  Result<std::vector<Variable>> read_variables(RemoteAddress code) const;
  const std::vector<Variable>& variables_of(RemoteAddress code);
  // What a variable's slot in a frame holds; nothing when the variable has no value.
  std::optional<std::string> text_of(uint64_t slot, bool is_cell);

  const TargetMemory& memory_;
  const pyc_layout& layout_;
  ValueText values_;
  std::unordered_map<uint64_t, std::vector<Variable>> variables_;  // by address of the code object
};

}  // namespace pycroscope

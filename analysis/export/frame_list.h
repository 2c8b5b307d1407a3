// The frames that the stacks of an export refer to, numbered in the order of their first use.
#pragma once

#include <cstdint>
#include <vector>

#include "analysis/model/symbols.h"
#include "analysis/passes/dense_index.h"

namespace pycroscope {

class FrameList {
 public:
  struct Frame {
    FunctionId function{};
    uint32_t line = 0;  // the function's first line where lines are merged or the line is not known
    bool no_python = false;
  };

  FrameList(const Symbols& symbols, bool lines) : symbols_(symbols), lines_(lines) {}

  // The frames of a stack, root first; of the empty stack the one frame "no Python".
  const std::vector<uint32_t>& stack(StackId stack);
  uint32_t size() const { return index_.size(); }
  Frame frame(uint32_t number) const;

 private:
  uint32_t number(const Location& location);

  const Symbols& symbols_;
  bool lines_;
  DenseIndex index_;
  std::vector<uint32_t> path_;
};

}  // namespace pycroscope

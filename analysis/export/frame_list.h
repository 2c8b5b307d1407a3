// The frames that the stacks of an export refer to, numbered in the order of their first use.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analysis/model/dense_index.h"
#include "analysis/passes/context.h"

namespace pycroscope {

enum class FrameLines { kAsRequested, kMerged };

class FrameList {
 public:
  struct Frame {
    FunctionId function{};
    uint32_t line = 0;   // the function's first line where lines are merged or the line is not known
    std::string text{};  // instead of these: a group's, or "[no Python]"
  };

  // The context must outlive this.
  explicit FrameList(const PassContext& context, FrameLines lines = FrameLines::kAsRequested)
      : grouping_(context.grouping()),
        symbols_(context.symbols()),
        lines_(lines == FrameLines::kAsRequested && !context.request().tree().no_lines()) {}

  // The frames of a stack, root first: those of its group, then the calls; of the empty stack "[no Python]".
  const std::vector<uint32_t>& stack(StackId stack, uint32_t group);
  uint32_t size() const { return index_.size(); }
  Frame frame(uint32_t number) const;

 private:
  uint32_t number(const Location& location);

  const Grouping& grouping_;
  const Symbols& symbols_;
  bool lines_;
  DenseIndex index_;
  std::vector<uint32_t> path_;
};

}  // namespace pycroscope

#include "analysis/export/frame_list.h"

#include <algorithm>

namespace pycroscope {
namespace {

// In the place of a function.
constexpr uint32_t kNoPython = UINT32_MAX, kGroup = UINT32_MAX - 1;

}  // namespace

uint32_t FrameList::number(const Location& location) {
  uint32_t line = lines_ && location.line ? location.line : symbols_.function(location.function).first_line;
  return index_({index(location.function), line, 0});
}

const std::vector<uint32_t>& FrameList::stack(StackId stack, uint32_t group) {
  path_.clear();
  if (stack == StackId{}) path_.push_back(index_({kNoPython, 0, 0}));
  for (StackId s = stack; s != StackId{}; s = symbols_.stack(s).parent)
    path_.push_back(number(symbols_.location(symbols_.stack(s).location)));
  for (uint32_t g = group; g != 0; g = grouping_.groups()[g].parent) path_.push_back(index_({kGroup, g, 0}));
  std::ranges::reverse(path_);
  return path_;
}

FrameList::Frame FrameList::frame(uint32_t number) const {
  const DenseIndex::Key& key = index_.keys()[number];
  if (key[0] == kNoPython) return {.text = "[no Python]"};
  if (key[0] == kGroup) return {.text = grouping_.groups()[key[1]].text};
  return {.function = FunctionId{key[0]}, .line = key[1]};
}

}  // namespace pycroscope

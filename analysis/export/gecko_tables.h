// The tables of a profile in Firefox's format that its threads share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "analysis/export/frame_list.h"

namespace pycroscope {

constexpr uint32_t kNoEntry = UINT32_MAX;  // printed as null

// Texts, each once, in the order of their first use.
class TextList {
 public:
  uint32_t operator()(std::string_view text);
  const std::vector<std::string>& texts() const { return texts_; }

 private:
  std::unordered_map<std::string, uint32_t> ids_;
  std::vector<std::string> texts_;
};

struct GeckoFunction {
  uint32_t name = 0, source = kNoEntry, first_line = 0, category = 0;
};

// Functions, and the sources and categories that they refer to.
class FunctionTable {
 public:
  // Names are put into `strings`. Both must outlive this.
  FunctionTable(const Symbols& symbols, TextList& strings);

  // The number of the frame's function.
  uint32_t number(const FrameList::Frame& frame);

  const std::vector<GeckoFunction>& functions() const { return functions_; }
  // The parts of the program as module_group.h has them, after "Other".
  const std::vector<std::string>& categories() const { return categories_.texts(); }
  const std::vector<std::string>& sources() const { return sources_.texts(); }

 private:
  GeckoFunction make(const FrameList::Frame& frame);

  const Symbols& symbols_;
  TextList& strings_;
  TextList categories_, sources_;
  DenseIndex index_;
  std::vector<GeckoFunction> functions_;
};

// One of the profiler's names of colours, for the category of that number.
std::string_view category_colour(std::string_view category, size_t number);

}  // namespace pycroscope

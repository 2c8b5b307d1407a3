#include "analysis/export/gecko_tables.h"

#include <array>

#include "analysis/export/module_group.h"

namespace pycroscope {

uint32_t TextList::operator()(std::string_view text) {
  auto [it, added] = ids_.try_emplace(std::string(text), static_cast<uint32_t>(texts_.size()));
  if (added) texts_.push_back(it->first);
  return it->second;
}

FunctionTable::FunctionTable(const Symbols& symbols, TextList& strings) : symbols_(symbols), strings_(strings) {
  categories_("Other");
}

uint32_t FunctionTable::number(const FrameList::Frame& frame) {
  DenseIndex::Key key =
      frame.text.empty() ? DenseIndex::Key{index(frame.function), 0, 0} : DenseIndex::Key{strings_(frame.text), 1, 0};
  uint32_t id = index_(key);
  if (id == functions_.size()) functions_.push_back(make(frame));
  return id;
}

GeckoFunction FunctionTable::make(const FrameList::Frame& frame) {
  if (!frame.text.empty()) return {.name = strings_(frame.text)};
  const Function& f = symbols_.function(frame.function);
  std::string_view path = symbols_.string(symbols_.file(f.file).path);
  return {strings_(symbols_.string(f.name)), sources_(path), f.first_line, categories_(module_group(path, f.kind))};
}

std::string_view category_colour(std::string_view category, size_t number) {
  constexpr std::array<std::string_view, 6> kPackages = {"green", "purple", "orange", "magenta", "brown", "lightblue"};
  if (number == 0) return "grey";  // the profiler takes the first grey one for frames without a category
  if (category == kThisProgram) return "yellow";
  if (category == kStandardLibrary) return "blue";
  if (category == kNativeCode) return "darkgrey";
  return kPackages[number % kPackages.size()];
}

}  // namespace pycroscope

// Builds the symbol table of a view: only what its rows refer to, each thing once, numbered in order of first use.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "analysis/model/events.h"
#include "pycroscope/v1/symbols.pb.h"

namespace pycroscope {

class ViewSymbols {
 public:
  // Fills `table`, which must be empty and outlive this.
  ViewSymbols(const EventReader& reader, v1::SymbolTable& table);

  uint32_t text(std::string_view text);
  uint32_t function(FunctionId id);
  // Its index + 1, 0 for none.
  uint32_t function_or_none(std::optional<FunctionId> id) { return id ? function(*id) + 1 : 0; }
  uint32_t frame(FunctionId function, uint32_t line);
  uint32_t process(ProcessId id);
  uint32_t thread(ThreadId id);
  uint32_t labels(std::span<const Label> labels);

 private:
  uint32_t file(FileId id);

  const EventReader& reader_;
  const Symbols& symbols_;
  v1::SymbolTable& table_;
  // Texts are keyed by what stands in the table, so that two that became equal by cleaning are one.
  std::unordered_map<std::string, uint32_t> texts_;
  std::unordered_map<uint32_t, uint32_t> files_, functions_, processes_, threads_;
  std::map<std::vector<std::pair<uint32_t, uint32_t>>, uint32_t> label_sets_;
  std::unordered_map<uint64_t, uint32_t> frames_;  // key: (the view's function, line)
};

}  // namespace pycroscope

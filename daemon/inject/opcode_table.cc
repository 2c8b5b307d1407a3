#include "daemon/inject/opcode_table.h"

#include <algorithm>
#include <vector>

namespace pycroscope {
namespace {

constexpr size_t kOpcodes = 256;
constexpr uint64_t kLargestMap = 64u << 20;
// Of the opcodes so many are executed within the function itself, not in parts that the compiler has put elsewhere.
constexpr uint64_t kFunctionSize = 1u << 17;
constexpr auto kWithinFunction = 100;

// All opcodes that there are not have one target, the others have not that one.
bool is_table(std::span<const uint64_t, kOpcodes> words, uint64_t evaluate, const pyc_layout& layout) {
  const auto unused = words.subspan(layout.opcodes_end, kOpcodes - 1 - layout.opcodes_end);
  const auto is_unused = [&](uint64_t word) { return word == unused[0]; };
  if (!std::ranges::all_of(unused, is_unused) || is_unused(words[kOpcodes - 1])) return false;
  if (is_unused(words[layout.opcode_subscript]) || is_unused(words[layout.opcode_getitem])) return false;
  return std::ranges::count_if(words, [&](uint64_t word) { return word - evaluate < kFunctionSize; }) >=
         kWithinFunction;
}

bool may_hold_it(const MapEntry& map) { return map.readable && !map.executable; }

// Runs of maps that follow each other: when protection is changed for a while a map may stay divided.
std::vector<std::span<const MapEntry>> runs_of(std::span<const MapEntry> maps) {
  std::vector<std::span<const MapEntry>> runs;
  for (size_t begin = 0, at = 0; at < maps.size(); ++at) {
    const bool ends = at + 1 == maps.size() || maps[at].end != maps[at + 1].begin || !may_hold_it(maps[at + 1]);
    if (!may_hold_it(maps[at])) begin = at + 1;
    if (!ends || begin > at) continue;
    runs.push_back(maps.subspan(begin, at + 1 - begin));
    begin = at + 1;
  }
  return runs;
}

}  // namespace

OpcodeTable find_opcode_table(const TargetMemory& memory, std::span<const MapEntry> maps, RemoteAddress evaluate,
                              const pyc_layout& layout) {
  if (layout.opcode_getitem == PYC_NO_OFFSET) return {};
  RemoteAddress found;
  for (const std::span<const MapEntry> run : runs_of(maps)) {
    const uint64_t size = run.back().end.address() - run.front().begin.address();
    if (size > kLargestMap) continue;
    std::vector<uint64_t> words(size / sizeof(uint64_t));
    if (!memory.read_bytes(run.front().begin, std::as_writable_bytes(std::span(words)))) continue;
    for (size_t at = 0; at + kOpcodes <= words.size(); ++at) {
      const std::span<const uint64_t, kOpcodes> table(&words[at], kOpcodes);
      // What is quickly seen of most.
      if (table[layout.opcodes_end] != table[kOpcodes - 2] || !is_table(table, evaluate.address(), layout)) continue;
      if (found) return {};
      found = run.front().begin + at * sizeof(uint64_t);
    }
  }
  if (!found) return {};
  const RemoteAddress entry = found + layout.opcode_getitem * sizeof(uint64_t);
  const auto map = std::ranges::find_if(maps, [&](const MapEntry& m) { return m.begin <= entry && entry < m.end; });
  return {found, map->writable};
}

}  // namespace pycroscope

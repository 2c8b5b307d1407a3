// Symbols as bytes: what is newer than a mark, plus thread names that changed. ON DISK: DO NOT CHANGE.
//
//   symbols := zstd frame of: mark counts strings files functions locations stacks processes threads label_sets renames
//              opcodes?
//     mark, counts := varint{8}      sizes of the eight tables before, and how many entries of each follow, in the
//                                    order of Symbols::Mark: strings files functions locations stacks processes
//                                    threads label_sets
//     string    := size:varint byte*            function := name file first_line kind, varints
//     file      := path:varint                  location := function:varint line:varint offset:zigzag
//     stack     := (own id - parent):varint location:varint
//     process   := pid:zigzag command:varint    thread   := process:varint tid:zigzag name:varint
//     label_set := size:varint (key:varint value:varint)*
//     renames   := size:varint (thread:varint name:varint)*
//     opcodes   := size:varint (location:varint name:varint)*, left out when there are none
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/model/symbols.h"

namespace pycroscope {

inline constexpr size_t kMaxSymbolBytes = size_t{256} << 20;  // of one delta, uncompressed

// What of a session's symbols is already stored.
class SymbolsWritten {
 public:
  // The bytes of what is not, nothing when all is.
  std::optional<std::string> delta(const Symbols& symbols) const;
  // Everything in `symbols` is now stored.
  void advance(const Symbols& symbols);

 private:
  Symbols::Mark mark_ = Symbols().mark();
  uint64_t name_changes_ = 0;
  size_t opcodes_ = 0;
  std::vector<StringId> thread_names_;  // as stored
};

// Adds a delta; false when it is damaged, not the next one, or refers to what does not exist. `symbols` may then have
// part of it.
bool apply_symbols(std::string_view bytes, Symbols& symbols);

}  // namespace pycroscope

// Stacks as the kernel reports them → stacks of the session. A stack seen before costs one lookup.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>

#include "analysis/model/symbols.h"
#include "daemon/collect/code_table.h"

namespace pycroscope {

// One owner thread. `codes` must outlive it.
class StackTable {
 public:
  explicit StackTable(const CodeTable& codes) : codes_(codes) {}

  // `frames` leaf first. Nothing: a frame's code object is unknown.
  std::optional<StackId> intern(std::span<const pyc_frame> frames, Symbols& symbols);

 private:
  const CodeTable& codes_;
  std::unordered_map<uint64_t, StackId> stacks_;  // by a hash of all frames
};

}  // namespace pycroscope

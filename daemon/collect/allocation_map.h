// What is allocated in a process, by address: so that a free says whose memory it frees.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>

#include "analysis/model/symbols.h"

namespace pycroscope {

struct LiveBlock {
  uint64_t bytes = 0;
  StackId stack{};
  ThreadId thread{};
  LabelSetId labels{};
  StringId type{};
  int64_t born_ns = 0;
};

// One owner thread.
class AllocationMap {
 public:
  // What is live beyond `limit` blocks is not remembered: its frees are of unknown memory.
  explicit AllocationMap(size_t limit) : limit_(limit) {}

  // False when it was not remembered. An address that is live already was freed without our knowing: it is replaced.
  bool add(uint64_t address, const LiveBlock& block) {
    if (blocks_.size() >= limit_ && !blocks_.contains(address)) return false;
    blocks_.insert_or_assign(address, block);
    return true;
  }
  std::optional<LiveBlock> take(uint64_t address) {
    const auto it = blocks_.find(address);
    if (it == blocks_.end()) return std::nullopt;
    const LiveBlock block = it->second;
    blocks_.erase(it);
    return block;
  }

 private:
  size_t limit_;
  std::unordered_map<uint64_t, LiveBlock> blocks_;
};

}  // namespace pycroscope

#include "daemon/collect/stack_table.h"

#include <ranges>

#include "bpf/include/code_identity.h"

namespace pycroscope {
namespace {

// Bounds the memory of a recording whose stacks never repeat: beyond, the cache starts anew.
constexpr size_t kMaxStacks = size_t{1} << 17;

// Identities are good hashes already, so that 64 bits tell 2^17 stacks apart but for one case in 10^9.
uint64_t hash_frames(std::span<const pyc_frame> frames) {
  uint64_t h = frames.size();
  for (const pyc_frame& frame : frames) h = pyc_mix(pyc_mix(h, frame.identity), static_cast<uint32_t>(frame.offset));
  return h;
}

}  // namespace

std::optional<StackId> StackTable::intern(std::span<const pyc_frame> frames, Symbols& symbols) {
  const uint64_t hash = hash_frames(frames);
  if (const auto it = stacks_.find(hash); it != stacks_.end()) return it->second;
  StackId stack{};
  for (const pyc_frame& frame : frames | std::views::reverse) {
    const auto location = codes_.locate(frame, symbols);
    if (!location) return std::nullopt;
    stack = symbols.intern_stack(stack, *location);
  }
  if (stacks_.size() >= kMaxStacks) stacks_.clear();
  stacks_.emplace(hash, stack);
  return stack;
}

}  // namespace pycroscope

#include "analysis/passes/call_trie.h"

#include <algorithm>
#include <numeric>

namespace pycroscope {

CallTrie::CallTrie(const Symbols& symbols, std::span<const StackWeight> stacks, const TrieOptions& options)
    : known_(symbols.mark().stacks) {
  index_({UINT32_MAX, 0, 0});  // the root, whose key no child can have
  nodes_.emplace_back();
  // Stacks of one group one after the other, so that each stack is looked up once per group.
  std::vector<uint32_t> groups;
  for (const StackWeight& s : stacks) groups.push_back(group(symbols, s.thread, options));
  std::vector<uint32_t> order(stacks.size());
  std::iota(order.begin(), order.end(), 0);
  if (options.by_process || options.by_thread)
    std::ranges::stable_sort(order, {}, [&](uint32_t i) { return groups[i]; });
  for (uint32_t i : order) nodes_[node_of(symbols, stacks[i].stack, groups[i], options.lines)].self += stacks[i].weight;
  for (size_t n = nodes_.size(); n-- > 0;) {
    nodes_[n].total += nodes_[n].self;
    if (n) nodes_[nodes_[n].parent].total += nodes_[n].total;
  }
  known_ = {};
}

uint32_t CallTrie::child(uint32_t parent, NodeKind kind, uint32_t what, uint32_t line) {
  // Texts and frames share the numbers of `what`; parents and lines keep them apart: a group's children are either
  // groups or frames, and "no Python" has a line that no code has.
  constexpr uint32_t kNoPythonLine = UINT32_MAX;
  uint32_t id = index_({parent, what, kind == NodeKind::kNoPython ? kNoPythonLine : line});
  if (id < nodes_.size()) return id;
  CallNode node{.parent = parent,
                .kind = kind,
                .function = {},
                .line = line,
                .process = nodes_[parent].process,
                .thread = nodes_[parent].thread,
                .self = {},
                .total = {}};
  if (kind == NodeKind::kFrame) node.function = FunctionId{what};
  if (kind == NodeKind::kProcess) node.process = what + 1;
  if (kind == NodeKind::kThread) node.thread = what + 1;
  nodes_.push_back(node);
  return id;
}

uint32_t CallTrie::group(const Symbols& symbols, ThreadId thread, const TrieOptions& options) {
  uint32_t node = 0;
  if (options.by_process) node = child(node, NodeKind::kProcess, index(symbols.thread(thread).process), 0);
  if (options.by_thread) node = child(node, NodeKind::kThread, index(thread), 0);
  return node;
}

uint32_t CallTrie::node_of(const Symbols& symbols, StackId stack, uint32_t group, bool lines) {
  if (stack == StackId{}) return child(group, NodeKind::kNoPython, 0, 0);
  path_.clear();
  uint32_t node = group;
  for (StackId s = stack; s != StackId{}; s = symbols.stack(s).parent) {
    if (known_[index(s)].group == group) {
      node = known_[index(s)].node;
      break;
    }
    path_.push_back(s);
  }
  for (size_t i = path_.size(); i-- > 0;) {
    const Location& location = symbols.location(symbols.stack(path_[i]).location);
    node = child(node, NodeKind::kFrame, index(location.function), lines ? location.line : 0);
    known_[index(path_[i])] = {group, node};
  }
  return node;
}

ChildLists::ChildLists(std::span<const CallNode> nodes) : first(nodes.size()), next(nodes.size()) {
  for (auto n = static_cast<uint32_t>(nodes.size()); n-- > 1;) {
    next[n] = first[nodes[n].parent];
    first[nodes[n].parent] = n;
  }
}

std::vector<Weight> inclusive_weights(std::span<const CallNode> nodes, std::span<const uint32_t> keys, uint32_t count) {
  std::vector<Weight> result(count);
  std::vector<uint32_t> on_path(count);
  walk(
      nodes,
      [&](uint32_t n) {
        if (keys[n] != kNoKey && on_path[keys[n]]++ == 0) result[keys[n]] += nodes[n].total;
      },
      [&](uint32_t n) {
        if (keys[n] != kNoKey) --on_path[keys[n]];
      });
  return result;
}

std::vector<Weight> self_weights(std::span<const CallNode> nodes, std::span<const uint32_t> keys, uint32_t count) {
  std::vector<Weight> result(count);
  for (size_t n = 0; n < nodes.size(); ++n)
    if (keys[n] != kNoKey) result[keys[n]] += nodes[n].self;
  return result;
}

}  // namespace pycroscope

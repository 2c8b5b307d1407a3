#include "analysis/passes/call_trie.h"

#include <algorithm>
#include <numeric>

namespace pycroscope {

CallTrie::CallTrie(const Symbols& symbols, const Grouping& grouping, std::span<const StackWeight> stacks, bool lines)
    : known_(symbols.mark().stacks) {
  index_({UINT32_MAX, 0, 0});  // the root, whose key no child can have
  nodes_.emplace_back().process = kNoProcess;
  // Stacks of one group one after the other, so that each stack is looked up once per group.
  std::vector<uint32_t> order(stacks.size());
  std::iota(order.begin(), order.end(), 0);
  if (!grouping.keys().empty()) std::ranges::stable_sort(order, {}, [&](uint32_t i) { return stacks[i].group; });
  for (uint32_t i : order) {
    const StackWeight& s = stacks[i];
    CallNode& node = nodes_[node_of(symbols, s.stack, group_node(grouping, s.group), lines)];
    node.self += s.weight;
    node.process = common_process(node.process, index(symbols.thread(s.thread).process) + 1);
  }
  for (size_t n = nodes_.size(); n-- > 0;) {
    nodes_[n].total += nodes_[n].self;
    if (n == 0) break;
    CallNode& parent = nodes_[nodes_[n].parent];
    parent.total += nodes_[n].total;
    parent.process = common_process(parent.process, nodes_[n].process);
  }
  if (nodes_[0].process == kNoProcess) nodes_[0].process = 0;  // nothing was added
  known_ = {};
}

uint32_t CallTrie::child(uint32_t parent, NodeKind kind, uint32_t what, uint32_t line) {
  // Groups and frames share the numbers of `what`; parents and lines keep them apart: a group's children are either
  // groups or frames, and "no Python" has a line that no code has.
  constexpr uint32_t kNoPythonLine = UINT32_MAX;
  uint32_t id = index_({parent, what, kind == NodeKind::kNoPython ? kNoPythonLine : line});
  if (id < nodes_.size()) return id;
  CallNode node{.parent = parent,
                .kind = kind,
                .function = {},
                .line = line,
                .group = nodes_[parent].group,
                .process = kNoProcess,
                .self = {},
                .total = {}};
  if (kind == NodeKind::kFrame) node.function = FunctionId{what};
  if (kind == NodeKind::kGroup) node.group = what;
  nodes_.push_back(node);
  return id;
}

uint32_t CallTrie::group_node(const Grouping& grouping, uint32_t group) {
  uint32_t node = 0;
  for (uint32_t g : grouping.path(group)) node = child(node, NodeKind::kGroup, g, 0);
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

uint32_t common_process(uint32_t a, uint32_t b) {
  if (a == kNoProcess || a == b) return b;
  return b == kNoProcess ? a : 0;
}

std::vector<uint32_t> processes(std::span<const CallNode> nodes, std::span<const uint32_t> keys, uint32_t count) {
  std::vector<uint32_t> result(count, kNoProcess);
  for (size_t n = 0; n < nodes.size(); ++n)
    if (keys[n] != kNoKey) result[keys[n]] = common_process(result[keys[n]], nodes[n].process);
  return result;
}

std::vector<Weight> self_weights(std::span<const CallNode> nodes, std::span<const uint32_t> keys, uint32_t count) {
  std::vector<Weight> result(count);
  for (size_t n = 0; n < nodes.size(); ++n)
    if (keys[n] != kNoKey) result[keys[n]] += nodes[n].self;
  return result;
}

}  // namespace pycroscope

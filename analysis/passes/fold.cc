#include "analysis/passes/fold.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <string_view>
#include <tuple>

namespace pycroscope {
namespace {

std::vector<uint32_t> count_children(std::span<const CallNode> nodes) {
  std::vector<uint32_t> children(nodes.size());
  for (size_t n = 1; n < nodes.size(); ++n) ++children[nodes[n].parent];
  return children;
}

// Takes the dearest nodes as long as they and one folded node for each parent that is left with untaken children fit.
std::vector<uint8_t> choose(std::span<const CallNode> nodes, const FoldLimits& limits) {
  std::vector<uint32_t> order(nodes.size());
  std::iota(order.begin(), order.end(), 0);
  // A parent costs at least as much as its child and, where equal, comes first by number.
  if (limits.max_nodes)
    std::ranges::stable_sort(order.begin() + 1, order.end(), std::greater(),
                             [&](uint32_t n) { return nodes[n].total.ns; });
  std::vector<uint32_t> untaken = count_children(nodes);
  std::vector<uint8_t> taken(nodes.size());
  double least = limits.min_share * static_cast<double>(nodes[0].total.ns);
  size_t size = 0;
  for (uint32_t n : order) {
    uint32_t parent = nodes[n].parent;
    if (n && (!taken[parent] || static_cast<double>(nodes[n].total.ns) < least)) continue;
    size_t grown = size + 1 + (untaken[n] ? 1 : 0);
    if (n && --untaken[parent] == 0) --grown;
    if (n && limits.max_nodes && grown > limits.max_nodes) break;
    taken[n] = 1;
    size = grown;
  }
  return taken;
}

}  // namespace

std::vector<FoldedNode> fold_trie(const CallTrie& trie, const FoldLimits& limits) {
  std::span<const CallNode> nodes = trie.nodes();
  std::vector<uint8_t> taken = choose(nodes, limits);
  std::vector<uint32_t> place(nodes.size()), rest(nodes.size());  // rest: the folded child of a node, 0: none
  std::vector<FoldedNode> result;
  for (uint32_t n = 0; n < nodes.size(); ++n) {
    const CallNode& node = nodes[n];
    if (taken[n]) {
      place[n] = static_cast<uint32_t>(result.size());
      result.push_back({place[node.parent], 0, node});
    } else if (taken[node.parent]) {
      uint32_t& folded = rest[node.parent];
      if (!folded) {
        folded = static_cast<uint32_t>(result.size());
        CallNode text = nodes[node.parent];
        text.kind = NodeKind::kRoot;
        text.self = text.total = {};
        result.push_back({place[node.parent], 0, text});
      }
      ++result[folded].folded;
      result[folded].call.self += node.total;
      result[folded].call.total += node.total;
    }
  }
  return result;
}

std::vector<uint32_t> depth_first(std::span<const FoldedNode> nodes, std::span<const uint32_t> order) {
  std::vector<uint32_t> first(nodes.size()), next(nodes.size()), result, open = {0};
  for (size_t i = order.size(); i-- > 0;) {
    uint32_t n = order[i];
    if (!n) continue;
    next[n] = first[nodes[n].parent];
    first[nodes[n].parent] = n;
  }
  result.reserve(nodes.size());
  while (!open.empty()) {
    uint32_t n = open.back();
    open.pop_back();
    result.push_back(n);
    if (next[n]) open.push_back(next[n]);
    if (first[n]) open.push_back(first[n]);
  }
  return result;
}

std::vector<uint32_t> dearest_first(const Symbols& symbols, const Grouping& grouping,
                                    std::span<const FoldedNode> nodes) {
  // Frames by name, file and line; the rest by what they stand for.
  auto tie = [&](const FoldedNode& n) {
    bool frame = n.call.kind == NodeKind::kFrame && !n.folded;
    std::string_view name, path;
    if (frame) {
      const Function& f = symbols.function(n.call.function);
      name = symbols.string(f.name);
      path = symbols.string(symbols.file(f.file).path);
    }
    const Group& group = grouping.groups()[n.call.group];
    return std::tuple(frame, name, path, n.call.line, group.process, group.thread, std::string_view(group.text),
                      index(n.call.function));
  };
  std::vector<uint32_t> order(nodes.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, [&](uint32_t a, uint32_t b) {
    const Weight &x = nodes[a].call.total, &y = nodes[b].call.total;
    if (x.ns != y.ns) return x.ns > y.ns;
    if (x.samples != y.samples) return x.samples > y.samples;
    return std::tuple(tie(nodes[a]), a) < std::tuple(tie(nodes[b]), b);
  });
  return order;
}

std::string node_text(const Grouping& grouping, const FoldedNode& node) {
  if (node.folded) return fmt::format("[{} smaller]", node.folded);
  switch (node.call.kind) {
    case NodeKind::kRoot:
      return "all";
    case NodeKind::kGroup:
      return grouping.groups()[node.call.group].text;
    case NodeKind::kNoPython:
      return "[no Python]";
    case NodeKind::kFrame:
      return "";
  }
  return "";
}

}  // namespace pycroscope

// Makes a trie small enough to show: the cheapest subtrees become one node per parent, and all sums stay.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "analysis/model/symbols.h"
#include "analysis/passes/call_trie.h"

namespace pycroscope {

// A node of the folded trie: one of the trie, or what stands for `folded` of its parent's children with all that is
// below them.
struct FoldedNode {
  uint32_t parent = 0;
  uint32_t folded = 0;
  CallNode call;  // of a folded node only `self`, equal to `total`, and what it belongs to
};

struct FoldLimits {
  uint32_t max_nodes = 0;  // folded ones included; 0: any number, otherwise at least the root and one folded node
  double min_share = 0;    // of the root's total
};

// Node 0 is the root, parents come before their children.
std::vector<FoldedNode> fold_trie(const CallTrie& trie, const FoldLimits& limits);

// The numbers of the nodes depth-first, siblings in the order in which `order` has them.
std::vector<uint32_t> depth_first(std::span<const FoldedNode> nodes, std::span<const uint32_t> order);
// The numbers of the nodes, the dearest first; the order does not depend on how the session was recorded.
std::vector<uint32_t> dearest_first(const Symbols& symbols, const Grouping& grouping,
                                    std::span<const FoldedNode> nodes);

// What stands for a node that is no frame: "all", a group's text, "[no Python]", "[3 smaller]"; empty for frames.
std::string node_text(const Grouping& grouping, const FoldedNode& node);

}  // namespace pycroscope

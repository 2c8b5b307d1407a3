// The stacks of a session as a trie of calls: each node a function (or a line of one) called from its parent. What
// the row views and the tree are computed from. No operation recurses: stacks may be as deep as they like.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "analysis/model/dense_index.h"
#include "analysis/model/symbols.h"
#include "analysis/passes/grouping.h"
#include "analysis/passes/stack_weights.h"

namespace pycroscope {

enum class NodeKind : uint8_t { kRoot, kGroup, kNoPython, kFrame };

struct CallNode {
  uint32_t parent = 0;
  NodeKind kind = NodeKind::kRoot;
  FunctionId function{};  // of kFrame
  uint32_t line = 0;      // of kFrame: being executed, 0 unknown or merged
  uint32_t group = 0;     // of the grouping, that the node stands for or belongs to
  uint32_t process = 0;   // id + 1, 0: of several
  Weight self, total;
};

// Nodes by number: node 0 is the root, parents come before their children.
class CallTrie {
 public:
  // Below the root come the groups of `grouping`, which the stacks were added to. `lines`: lines of a function are
  // told apart.
  CallTrie(const Symbols& symbols, const Grouping& grouping, std::span<const StackWeight> stacks, bool lines);

  std::span<const CallNode> nodes() const { return nodes_; }

 private:
  uint32_t child(uint32_t parent, NodeKind kind, uint32_t what, uint32_t line);
  uint32_t group_node(const Grouping& grouping, uint32_t group);
  uint32_t node_of(const Symbols& symbols, StackId stack, uint32_t group, bool lines);

  DenseIndex index_;
  std::vector<CallNode> nodes_;
  // The node of a stack within the group that is being added; valid where the group's number is the same.
  struct Known {
    uint32_t group = UINT32_MAX, node = 0;
  };
  std::vector<Known> known_;
  std::vector<StackId> path_;
};

// A trie's children as linked lists: `first[n]`, then `next` of each, 0 at the end.
struct ChildLists {
  explicit ChildLists(std::span<const CallNode> nodes);
  std::vector<uint32_t> first, next;
};

// Depth-first, `enter(node)` before and `leave(node)` after its children.
template <class Enter, class Leave>
void walk(std::span<const CallNode> nodes, Enter enter, Leave leave) {
  ChildLists children(nodes);
  uint32_t node = 0;
  enter(node);
  for (;;) {
    if (uint32_t child = children.first[node]) {
      node = child;
      enter(node);
      continue;
    }
    leave(node);
    while (node && !children.next[node]) leave(node = nodes[node].parent);
    if (!node) return;
    node = children.next[node];
    enter(node);
  }
}

// Of one process as well as of another: id + 1, 0 for several; kNoProcess where nothing is known yet.
constexpr uint32_t kNoProcess = UINT32_MAX;
uint32_t common_process(uint32_t a, uint32_t b);

constexpr uint32_t kNoKey = UINT32_MAX;

// For keys that stand at nodes (a function, a line, a pair of functions; kNoKey: none) the weight of the samples that
// have the key anywhere on their stack, each counted once however often it recurs.
std::vector<Weight> inclusive_weights(std::span<const CallNode> nodes, std::span<const uint32_t> keys, uint32_t count);
// The process of the samples that have the key: id + 1, 0 for several.
std::vector<uint32_t> processes(std::span<const CallNode> nodes, std::span<const uint32_t> keys, uint32_t count);
// The weight of the samples whose leaf has the key.
std::vector<Weight> self_weights(std::span<const CallNode> nodes, std::span<const uint32_t> keys, uint32_t count);

}  // namespace pycroscope

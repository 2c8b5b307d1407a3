// The call tree: depth-first, siblings by total or as the request's sort says, folded to the size asked for.
#include <algorithm>

#include "analysis/passes/fold.h"
#include "analysis/passes/row_table.h"

namespace pycroscope {
namespace {

class TreeBuilder {
 public:
  TreeBuilder(const PassContext& context, v1::View& view)
      : context_(context), view_(view), options_(context.request().tree()) {}

  Status build() {
    CallTrie trie(context_.symbols(), context_.grouping(), context_.stacks_with_selected(), !options_.no_lines());
    view_.mutable_header()->set_total_rows(trie.nodes().size());
    nodes_ = fold_trie(trie, limits());
    std::vector<uint32_t> rows = depth_first(nodes_, dearest_first(context_.symbols(), context_.grouping(), nodes_));
    fill(rows);
    const std::string& key = context_.request().sort();
    if (key.empty() || key == "id" || key == "parent") return {};
    PYC_TRY(const Column* column, find_column(v1::VIEW_KIND_TREE, key));
    std::vector<uint32_t> order;
    for (uint32_t row : row_order(view_, *column)) order.push_back(rows[row]);
    fill(depth_first(nodes_, order));
    return {};
  }

 private:
  // A limit of rows is one of nodes: cutting rows off the end would leave a tree whose sums are wrong.
  FoldLimits limits() const {
    uint32_t limit = context_.request().limit(), nodes = options_.max_nodes();
    return {.max_nodes = limit && nodes ? std::min(limit, nodes) : std::max(limit, nodes),
            .min_share = options_.min_share()};
  }

  void fill(const std::vector<uint32_t>& rows) {
    v1::ViewHeader header = view_.header();
    view_.Clear();
    *view_.mutable_header() = std::move(header);
    ViewSymbols symbols(context_.reader(), *view_.mutable_symbols());
    std::vector<uint32_t> row_of(nodes_.size());
    for (uint32_t row = 0; row < rows.size(); ++row) {
      row_of[rows[row]] = row;
      const FoldedNode& node = nodes_[rows[row]];
      view_.mutable_tree()->add_parent(row_of[node.parent]);
      append(symbols, node);
    }
  }

  void append(ViewSymbols& symbols, const FoldedNode& node) {
    v1::TreeTable& table = *view_.mutable_tree();
    const CallNode& call = node.call;
    bool frame = call.kind == NodeKind::kFrame && !node.folded;
    table.add_frame(frame ? symbols.frame(call.function, line_of(call)) : 0);
    table.add_label_string(frame ? 0 : symbols.text(node_text(context_.grouping(), node)));
    table.add_samples(call.total.samples);
    table.add_self_samples(call.self.samples);
    if (context_.knows().calls()) table.add_calls(call.self.calls);
    add_times(table, context_.knows(), call.self, call.total);
    add_group(table, context_, symbols, call.process, call.group);
  }

  uint32_t line_of(const CallNode& call) const {
    return options_.no_lines() ? context_.symbols().function(call.function).first_line : call.line;
  }

  const PassContext& context_;
  v1::View& view_;
  const v1::TreeOptions& options_;
  std::vector<FoldedNode> nodes_;
};

}  // namespace

Status pass_tree(PassContext& context, v1::View& view) { return TreeBuilder(context, view).build(); }

}  // namespace pycroscope

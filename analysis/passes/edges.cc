#include "analysis/passes/edges.h"

#include "analysis/passes/row_table.h"

namespace pycroscope {
namespace {

struct EdgeRow {
  FunctionId function{}, other{};
  uint32_t group = 0, process = 0;
  Weight self, total;
};

std::vector<EdgeRow> edge_rows(PassContext& context, EdgeEnd end) {
  std::span<const CallNode> nodes = context.calls(false).nodes();
  DenseIndex edges;
  std::vector<uint32_t> keys;
  for (const CallNode& node : nodes) {
    const CallNode& parent = nodes[node.parent];
    bool is_call = node.kind == NodeKind::kFrame && parent.kind == NodeKind::kFrame;
    keys.push_back(is_call ? edges({index(parent.function), index(node.function), node.group}) : kNoKey);
  }
  std::vector<Weight> self = self_weights(nodes, keys, edges.size());
  std::vector<Weight> total = inclusive_weights(nodes, keys, edges.size());
  std::vector<uint32_t> process = processes(nodes, keys, edges.size());
  std::vector<EdgeRow> rows;
  for (uint32_t i = 0; i < edges.size(); ++i) {
    FunctionId function{edges.keys()[i][0]}, other{edges.keys()[i][1]};
    if (end == EdgeEnd::kCallee) std::swap(function, other);
    if (context.selects(function)) rows.push_back({function, other, edges.keys()[i][2], process[i], self[i], total[i]});
  }
  return rows;
}

}  // namespace

Status fill_edges(PassContext& context, EdgeEnd end, v1::View& view) {
  std::vector<EdgeRow> rows = edge_rows(context, end);
  const Symbols& all = context.symbols();
  std::ranges::sort(rows, [&](const EdgeRow& a, const EdgeRow& b) {
    if (a.total.ns != b.total.ns) return a.total.ns > b.total.ns;
    if (a.total.samples != b.total.samples) return a.total.samples > b.total.samples;
    auto tie = [&](const EdgeRow& r) {
      return std::tuple(function_order(all, r.function), function_order(all, r.other), group_order(context, r.group));
    };
    return tie(a) < tie(b);
  });
  v1::Knows knows = context.knows();
  return fill_rows(context, std::move(rows), view, [&](ViewSymbols& symbols, const EdgeRow& row, v1::View& v) {
    v1::EdgesTable& table = *v.mutable_edges();
    table.add_function(symbols.function(row.function));
    table.add_other(symbols.function(row.other));
    table.add_samples(row.total.samples);
    if (knows.calls()) table.add_calls(row.self.calls);
    if (knows.wall()) table.add_total_ns(row.total.ns);
    if (knows.cpu()) table.add_total_cpu_ns(row.total.cpu_ns);
    add_group(table, context, symbols, row.process, row.group);
  });
}

}  // namespace pycroscope

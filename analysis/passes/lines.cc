// What each line costs: itself, and with all that it calls.
#include "analysis/passes/row_table.h"

namespace pycroscope {
namespace {

struct LineRow {
  FunctionId function{};
  uint32_t line = 0, group = 0, process = 0;
  Weight self, total;
};

std::vector<LineRow> line_rows(PassContext& context) {
  std::span<const CallNode> nodes = context.calls(true).nodes();
  DenseIndex lines;
  std::vector<uint32_t> keys;
  for (const CallNode& node : nodes)
    keys.push_back(node.kind == NodeKind::kFrame ? lines({index(node.function), node.line, node.group}) : kNoKey);
  std::vector<Weight> self = self_weights(nodes, keys, lines.size());
  std::vector<Weight> total = inclusive_weights(nodes, keys, lines.size());
  std::vector<uint32_t> process = processes(nodes, keys, lines.size());
  std::vector<LineRow> rows;
  for (uint32_t i = 0; i < lines.size(); ++i) {
    const DenseIndex::Key& key = lines.keys()[i];
    if (context.selects(FunctionId{key[0]}))
      rows.push_back({FunctionId{key[0]}, key[1], key[2], process[i], self[i], total[i]});
  }
  return rows;
}

}  // namespace

Status pass_lines(PassContext& context, v1::View& view) {
  std::vector<LineRow> rows = line_rows(context);
  sort_by_cost(rows, [&](const LineRow& r) {
    return std::tuple(function_order(context.symbols(), r.function), r.line, group_order(context, r.group));
  });
  v1::Knows knows = context.knows();
  return fill_rows(context, std::move(rows), view, [&](ViewSymbols& symbols, const LineRow& row, v1::View& v) {
    v1::LinesTable& table = *v.mutable_lines();
    table.add_function(symbols.function(row.function));
    table.add_line(row.line);
    table.add_samples(row.total.samples);
    table.add_self_samples(row.self.samples);
    if (knows.hits()) table.add_hits(row.self.hits);
    if (knows.allocations()) {
      table.add_allocations(row.self.allocations);
      table.add_alloc_bytes(row.self.alloc_bytes);
    }
    add_times(table, knows, row.self, row.total);
    add_group(table, context, symbols, row.process, row.group);
  });
}

}  // namespace pycroscope

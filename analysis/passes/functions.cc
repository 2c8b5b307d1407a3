// What each function costs: itself, and with all that it calls.
#include "analysis/passes/row_table.h"

namespace pycroscope {
namespace {

struct FunctionRow {
  FunctionId function{};
  uint32_t group = 0, process = 0;
  Weight self, total;
};

std::vector<FunctionRow> function_rows(PassContext& context) {
  std::span<const CallNode> nodes = context.calls(false).nodes();
  DenseIndex functions;
  std::vector<uint32_t> keys;
  for (const CallNode& node : nodes)
    keys.push_back(node.kind == NodeKind::kFrame ? functions({index(node.function), node.group, 0}) : kNoKey);
  std::vector<Weight> self = self_weights(nodes, keys, functions.size());
  std::vector<Weight> total = inclusive_weights(nodes, keys, functions.size());
  std::vector<uint32_t> process = processes(nodes, keys, functions.size());
  std::vector<FunctionRow> rows;
  for (uint32_t i = 0; i < functions.size(); ++i) {
    const DenseIndex::Key& key = functions.keys()[i];
    if (context.selects(FunctionId{key[0]}))
      rows.push_back({FunctionId{key[0]}, key[1], process[i], self[i], total[i]});
  }
  return rows;
}

}  // namespace

Status pass_functions(PassContext& context, v1::View& view) {
  std::vector<FunctionRow> rows = function_rows(context);
  sort_by_cost(rows, [&](const FunctionRow& r) {
    return std::tuple(function_order(context.symbols(), r.function), group_order(context, r.group));
  });
  v1::Knows knows = context.knows();
  return fill_rows(context, std::move(rows), view, [&](ViewSymbols& symbols, const FunctionRow& row, v1::View& v) {
    v1::FunctionsTable& table = *v.mutable_functions();
    table.add_function(symbols.function(row.function));
    table.add_samples(row.total.samples);
    table.add_self_samples(row.self.samples);
    if (knows.calls()) table.add_calls(row.self.calls);
    if (knows.allocations()) table.add_alloc_bytes(row.self.alloc_bytes);
    add_times(table, knows, row.self, row.total);
    add_group(table, context, symbols, row.process, row.group);
  });
}

}  // namespace pycroscope

// What each function costs: itself, and with all that it calls.
#include "analysis/passes/row_table.h"

namespace pycroscope {
namespace {

struct FunctionRow {
  FunctionId function{};
  Weight self, total;
};

std::vector<FunctionRow> function_rows(PassContext& context) {
  std::span<const CallNode> nodes = context.calls(false).nodes();
  std::vector<uint32_t> keys;
  for (const CallNode& node : nodes) keys.push_back(node.kind == NodeKind::kFrame ? index(node.function) : kNoKey);
  uint32_t count = context.symbols().mark().functions;
  std::vector<Weight> self = self_weights(nodes, keys, count);
  std::vector<Weight> total = inclusive_weights(nodes, keys, count);
  std::vector<FunctionRow> rows;
  for (uint32_t f = 0; f < count; ++f)
    if (total[f].samples && context.selects(FunctionId{f})) rows.push_back({FunctionId{f}, self[f], total[f]});
  return rows;
}

}  // namespace

Status pass_functions(PassContext& context, v1::View& view) {
  std::vector<FunctionRow> rows = function_rows(context);
  sort_by_cost(rows, [&](const FunctionRow& r) { return function_order(context.symbols(), r.function); });
  v1::Knows knows = context.knows();
  return fill_rows(context, std::move(rows), view, [&](ViewSymbols& symbols, const FunctionRow& row, v1::View& v) {
    v1::FunctionsTable& table = *v.mutable_functions();
    table.add_function(symbols.function(row.function));
    table.add_samples(row.total.samples);
    table.add_self_samples(row.self.samples);
    add_times(table, knows, row.self, row.total);
  });
}

}  // namespace pycroscope

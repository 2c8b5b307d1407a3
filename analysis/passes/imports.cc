// Imports of modules, the dearest first.
#include "analysis/passes/row_table.h"
#include "analysis/passes/trace_rows.h"

namespace pycroscope {

Status pass_imports(PassContext& context, v1::View& view) {
  std::vector<KeptEvent> rows = kept_events(context, TraceType::kImport);
  std::ranges::stable_sort(rows, std::greater(), [](const KeptEvent& e) { return e.event.arguments[0]; });
  const Symbols& all = context.symbols();
  return fill_rows(context, std::move(rows), view, [&](ViewSymbols& symbols, const KeptEvent& row, v1::View& v) {
    v1::ImportsTable& table = *v.mutable_imports();
    const auto argument = [&](size_t i) { return static_cast<uint32_t>(row.event.arguments[i]); };
    table.add_module(symbols.text(all.string(StringId{row.event.id})));
    table.add_file(argument(3) ? symbols.text(all.string(all.file(FileId{argument(3) - 1}).path)) : 0);
    table.add_parent(symbols.text(all.string(StringId{argument(2)})));
    table.add_self_ns(static_cast<int64_t>(row.event.arguments[1]));
    table.add_total_ns(static_cast<int64_t>(row.event.arguments[0]));
    add_thread(table, context, symbols, row.thread);
  });
}

}  // namespace pycroscope

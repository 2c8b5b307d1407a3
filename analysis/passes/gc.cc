// Garbage collections, one by one.
#include "analysis/passes/row_table.h"
#include "analysis/passes/trace_rows.h"

namespace pycroscope {

Status pass_gc(PassContext& context, v1::View& view) {
  std::vector<KeptEvent> rows = kept_events(context, TraceType::kGc);
  const auto place = [&](const KeptEvent& e) { return place_of(context, e.thread, e.labels, e.stack); };
  std::erase_if(rows, [&](const KeptEvent& e) {
    const TracePlace p = place(e);
    return p.function ? !context.selects(*p.function) : !context.selects_all();
  });
  return fill_rows(context, std::move(rows), view, [&](ViewSymbols& symbols, const KeptEvent& row, v1::View& v) {
    v1::GcTable& table = *v.mutable_gc();
    const auto& [pause_ns, collected, uncollectable, a, b, c, d] = row.event.arguments;
    table.add_time_ns(std::max<int64_t>(row.event.time_ns - static_cast<int64_t>(pause_ns), 0));
    table.add_generation(row.event.id);
    table.add_pause_ns(static_cast<int64_t>(pause_ns));
    table.add_collected(collected);
    table.add_uncollectable(uncollectable);
    const TracePlace p = place(row);
    table.add_function(symbols.function_or_none(p.function));
    table.add_line(p.line);
    add_thread(table, context, symbols, row.thread);
  });
}

}  // namespace pycroscope

// What was raised where, where it was caught and what that cost.
#include "analysis/passes/row_table.h"
#include "analysis/passes/trace_rows.h"

namespace pycroscope {
namespace {

struct ExceptionRow {
  TracePlace place;
  StringId type{};
  uint32_t caught = 0;  // LocationId + 1, 0: nowhere
  ExceptionFigures figures;
};

std::vector<ExceptionRow> exception_rows(const PassContext& context) {
  std::vector<ExceptionRow> rows;
  if (!context.trace()) return rows;
  const Tally& tally = *context.trace();
  TracePlaces places(context);
  DenseIndex index_of;
  for (uint32_t i = 0; i < tally.exceptions().size(); ++i) {
    const DenseIndex::Key& key = tally.exceptions().key(i);
    const DenseIndex::Key& site = tally.exception_sites().keys()[key[1]];
    const auto place = places.of(tally.contexts()[key[0]], StackId{site[1]});
    if (!place) continue;
    const uint32_t row = index_of({*place, site[0], site[2]});
    if (row == rows.size()) rows.push_back({places.places()[*place], StringId{site[0]}, site[2], {}});
    rows[row].figures += tally.exceptions().at(i);
  }
  return rows;
}

}  // namespace

Status pass_exceptions(PassContext& context, v1::View& view) {
  std::vector<ExceptionRow> rows = exception_rows(context);
  const Symbols& all = context.symbols();
  std::ranges::sort(rows, [&](const ExceptionRow& a, const ExceptionRow& b) {
    const auto cost = [](const ExceptionRow& r) { return std::tuple(r.figures.raised, r.figures.cost_ns); };
    if (cost(a) != cost(b)) return cost(a) > cost(b);
    const auto tie = [&](const ExceptionRow& r) {
      return std::tuple(all.string(r.type), place_order(context, r.place), r.caught);
    };
    return tie(a) < tie(b);
  });
  return fill_rows(context, std::move(rows), view, [&](ViewSymbols& symbols, const ExceptionRow& row, v1::View& v) {
    v1::ExceptionsTable& table = *v.mutable_exceptions();
    table.add_type(symbols.text(all.string(row.type)));
    table.add_function(symbols.function_or_none(row.place.function));
    table.add_line(row.place.line);
    table.add_raised(row.figures.raised);
    const Location caught = row.caught ? all.location(LocationId{row.caught - 1}) : Location();
    table.add_caught_function(row.caught ? symbols.function(caught.function) + 1 : 0);
    table.add_caught_line(caught.line);
    table.add_frames_unwound(row.figures.unwound);
    table.add_cost_ns(row.figures.cost_ns);
    add_group(table, context, symbols, row.place.process, row.place.group);
  });
}

}  // namespace pycroscope

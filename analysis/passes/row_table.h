// What the passes with plain rows share: order, limit and the filling of the view's columns.
#pragma once

#include <algorithm>
#include <string_view>
#include <tuple>
#include <vector>

#include "analysis/passes/context.h"
#include "analysis/passes/rows.h"
#include "analysis/passes/view_symbols.h"

namespace pycroscope {

// The rows' numbers ordered by `column`: numbers descending, texts ascending, the unknown last, equals as they were.
std::vector<uint32_t> row_order(const v1::View& view, const Column& column);

// Fills `view` with `rows`, which come in the view's own order, as the request's sort and limit say.
// `append(symbols, row, view)` appends one row to the table's columns.
template <class Row, class Append>
Status fill_rows(const PassContext& context, std::vector<Row> rows, v1::View& view, Append append) {
  const v1::ViewRequest& request = context.request();
  v1::ViewHeader header = view.header();
  header.set_total_rows(rows.size());
  auto fill = [&] {
    view.Clear();
    *view.mutable_header() = header;
    ViewSymbols symbols(context.reader(), *view.mutable_symbols());
    for (const Row& row : rows) append(symbols, row, view);
  };
  if (!request.sort().empty()) {
    PYC_TRY(const Column* column, find_column(request.kind(), request.sort()));
    fill();
    std::vector<Row> sorted;
    for (uint32_t i : row_order(view, *column)) sorted.push_back(rows[i]);
    rows = std::move(sorted);
  }
  if (request.limit() && rows.size() > request.limit()) rows.resize(request.limit());
  fill();
  return {};
}

// Appends to the columns of time that the session knows.
template <class Table>
void add_times(Table& table, const v1::Knows& knows, const Weight& self, const Weight& total) {
  if (knows.cpu()) {
    table.add_self_cpu_ns(self.cpu_ns);
    table.add_total_cpu_ns(total.cpu_ns);
  }
  if (knows.wall()) {
    table.add_self_ns(self.ns);
    table.add_total_ns(total.ns);
  }
}

// Appends to the columns that say what a row is of: its process (id + 1, 0: several) and its group.
template <class Table>
void add_group(Table& table, const PassContext& context, ViewSymbols& symbols, uint32_t process, uint32_t group) {
  const Grouping& grouping = context.grouping();
  const Group& of = grouping.groups()[group];
  if (context.tells_processes()) table.add_process(process ? symbols.process(ProcessId{process - 1}) + 1 : 0);
  if (grouping.by(kByThread)) table.add_thread(of.thread ? symbols.thread(ThreadId{of.thread - 1}) + 1 : 0);
  if (grouping.by_label()) table.add_label_set(symbols.labels(of.labels));
}

// A group's place in an order that does not depend on how the session was recorded.
inline std::tuple<uint32_t, uint32_t, std::string_view> group_order(const PassContext& context, uint32_t group) {
  const Group& g = context.grouping().groups()[group];
  return {g.process, g.thread, g.text};
}

// The dearest first, equals by `tie`: what makes a view's own order the same each time.
template <class Row, class Tie>
void sort_by_cost(std::vector<Row>& rows, Tie tie) {
  std::ranges::sort(rows, [&](const Row& a, const Row& b) {
    auto cost = [](const Row& r) {
      return std::tuple(-r.self.ns, -r.total.ns, -static_cast<int64_t>(r.total.samples));
    };
    if (cost(a) != cost(b)) return cost(a) < cost(b);
    return tie(a) < tie(b);
  });
}

// A function's place in an order that does not depend on how the session was recorded.
inline std::tuple<std::string_view, std::string_view, uint32_t, uint32_t> function_order(const Symbols& symbols,
                                                                                         FunctionId id) {
  const Function& f = symbols.function(id);
  return {symbols.string(f.name), symbols.string(symbols.file(f.file).path), f.first_line, index(id)};
}

}  // namespace pycroscope

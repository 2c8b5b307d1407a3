// What each thread did.
#include "analysis/model/labels.h"
#include "analysis/passes/row_table.h"

namespace pycroscope {
namespace {

struct ThreadRow {
  ThreadId thread{};
  uint32_t group = 0;
  Weight self, total;  // equal: a thread has no callees
  int64_t gil_held_ns = 0, gil_wait_ns = 0;
};

std::vector<ThreadRow> thread_rows(const PassContext& context) {
  const Symbols& symbols = context.symbols();
  const bool all_hold_gil = context.reader().session().config().mode() == v1::SAMPLE_MODE_GIL;
  DenseIndex threads;
  std::vector<ThreadRow> rows;
  for (const StackWeight& s : context.stacks_with_selected()) {
    uint32_t i = threads({index(s.thread), s.group, 0});
    if (i == rows.size()) rows.push_back({.thread = s.thread, .group = s.group, .self = {}, .total = {}});
    ThreadRow& row = rows[i];
    row.total += s.weight;
    if (all_hold_gil || label_value(symbols, s.labels, kGilLabel) == kGilHeld) row.gil_held_ns += s.weight.ns;
    if (label_value(symbols, s.labels, kWaitLabel) == kWaitForGil) row.gil_wait_ns += s.weight.ns;
  }
  for (ThreadRow& row : rows) row.self = row.total;
  return rows;
}

}  // namespace

Status pass_threads(PassContext& context, v1::View& view) {
  std::vector<ThreadRow> rows = thread_rows(context);
  sort_by_cost(rows, [&](const ThreadRow& r) {
    const Thread& thread = context.symbols().thread(r.thread);
    return std::tuple(index(thread.process), thread.tid, index(r.thread), group_order(context, r.group));
  });
  v1::Knows knows = context.knows();
  return fill_rows(context, std::move(rows), view, [&](ViewSymbols& symbols, const ThreadRow& row, v1::View& v) {
    v1::ThreadsTable& table = *v.mutable_threads();
    table.add_thread(symbols.thread(row.thread));
    table.add_samples(row.total.samples);
    if (knows.cpu()) table.add_on_cpu_ns(row.total.cpu_ns);
    if (knows.off_cpu()) table.add_off_cpu_ns(row.total.ns - row.total.cpu_ns);
    if (knows.gil()) table.add_gil_held_ns(row.gil_held_ns);
    if (knows.off_cpu()) table.add_gil_wait_ns(row.gil_wait_ns);
    const Grouping& grouping = context.grouping();
    if (grouping.by_label()) table.add_label_set(symbols.labels(grouping.groups()[row.group].labels));
  });
}

}  // namespace pycroscope

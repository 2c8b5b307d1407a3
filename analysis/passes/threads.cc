// What each thread did.
#include "analysis/passes/row_table.h"

namespace pycroscope {
namespace {

struct ThreadRow {
  ThreadId thread{};
  Weight self, total;  // equal: a thread has no callees
};

std::vector<ThreadRow> thread_rows(const PassContext& context) {
  std::vector<Weight> weights(context.symbols().mark().threads);
  for (const StackWeight& s : context.stacks_with_selected()) weights[index(s.thread)] += s.weight;
  std::vector<ThreadRow> rows;
  for (uint32_t i = 0; i < weights.size(); ++i)
    if (weights[i].samples) rows.push_back({ThreadId{i}, weights[i], weights[i]});
  return rows;
}

}  // namespace

Status pass_threads(PassContext& context, v1::View& view) {
  std::vector<ThreadRow> rows = thread_rows(context);
  sort_by_cost(rows, [&](const ThreadRow& r) {
    const Thread& thread = context.symbols().thread(r.thread);
    return std::tuple(index(thread.process), thread.tid, index(r.thread));
  });
  v1::Knows knows = context.knows();
  return fill_rows(context, std::move(rows), view, [&](ViewSymbols& symbols, const ThreadRow& row, v1::View& v) {
    v1::ThreadsTable& table = *v.mutable_threads();
    table.add_thread(symbols.thread(row.thread));
    table.add_samples(row.total.samples);
    if (knows.cpu()) table.add_on_cpu_ns(row.total.ns);
    if (knows.gil()) table.add_gil_held_ns(row.total.ns);
  });
}

}  // namespace pycroscope

// How much memory was in use, slot of time by slot of time.
#include <map>

#include "analysis/passes/row_table.h"
#include "analysis/passes/trace_rows.h"

namespace pycroscope {
namespace {

constexpr std::string_view kRssCounter = "rss_bytes";

struct MemoryRow {
  ProcessId process{};
  int64_t time_ns = 0;
  int64_t python_bytes = -1, rss_bytes = -1;
};

// The figures of one process by slot; what does not change in a slot is as it was.
using Slots = std::map<int64_t, MemoryRow>;

std::vector<MemoryRow> memory_rows(const PassContext& context, const Tally& whole) {
  const Tally& tally = *context.trace();
  const unsigned shift = tally.slot_shift();
  std::map<uint32_t, Slots> slots;
  std::map<uint32_t, int64_t> live;  // at the range's start
  for (uint32_t p = 0; p < whole.processes().size(); ++p)
    live[p] = whole.processes()[p].live_bytes - (p < tally.processes().size() ? tally.processes()[p].live_bytes : 0);
  for (const MemoryPoint& point : tally.memory())
    slots[index(point.process)][point.slot].python_bytes = live[index(point.process)] + point.live_bytes;
  for (const KeptEvent& e : kept_events(context, TraceType::kCounter)) {
    if (context.symbols().string(StringId{e.event.id}) != kRssCounter) continue;
    const uint32_t process = index(context.symbols().thread(e.thread).process);
    slots[process][e.event.time_ns >> shift].rss_bytes = static_cast<int64_t>(e.event.arguments[0]);
  }
  std::vector<MemoryRow> rows;
  for (auto& [process, of_process] : slots) {
    MemoryRow last{.process = ProcessId{process}, .python_bytes = context.knows().allocations() ? live[process] : -1};
    for (auto& [slot, row] : of_process) {
      if (row.python_bytes >= 0) last.python_bytes = row.python_bytes;
      if (row.rss_bytes >= 0) last.rss_bytes = row.rss_bytes;
      last.time_ns = (slot + 1) << shift;
      rows.push_back(last);
    }
  }
  std::ranges::stable_sort(rows, {}, &MemoryRow::time_ns);
  return rows;
}

}  // namespace

Status pass_memory(PassContext& context, v1::View& view) {
  std::vector<MemoryRow> rows;
  if (context.trace()) {
    PYC_TRY(const Tally whole, context.trace_until_end());
    rows = memory_rows(context, whole);
  }
  return fill_rows(context, std::move(rows), view, [&](ViewSymbols& symbols, const MemoryRow& row, v1::View& v) {
    v1::MemoryTable& table = *v.mutable_memory();
    table.add_time_ns(row.time_ns);
    table.add_python_bytes(row.python_bytes);
    table.add_native_bytes(-1);
    table.add_rss_bytes(row.rss_bytes);
    if (context.tells_processes()) table.add_process(symbols.process(row.process) + 1);
  });
}

}  // namespace pycroscope

// What was allocated where, and what of it is still there.
#include "analysis/passes/row_table.h"
#include "analysis/passes/trace_rows.h"

namespace pycroscope {
namespace {

struct AllocationRow {
  TracePlace place;
  StringId type{};
  AllocationFigures in_range, whole;  // from the session's start

  uint64_t live_count() const { return whole.allocations - whole.frees; }
  int64_t peak_bytes() const { return whole.live_bytes() - in_range.live_bytes() + in_range.peak_bytes; }
};

class AllocationRows {
 public:
  explicit AllocationRows(const PassContext& context) : places_(context) {}

  void add_all(const Tally& tally, AllocationFigures AllocationRow::* part) {
    for (uint32_t i = 0; i < tally.allocations().size(); ++i) {
      const DenseIndex::Key& key = tally.allocations().key(i);
      const auto place = places_.of(tally.contexts()[key[0]], StackId{key[1]});
      if (!place) continue;
      const uint32_t row = index_({*place, key[2], 0});
      if (row == rows_.size()) rows_.push_back({.place = {}, .type = StringId{key[2]}, .in_range = {}, .whole = {}});
      rows_[row].*part += tally.allocations().at(i);
      numbers_.resize(rows_.size(), *place);
    }
  }
  std::vector<AllocationRow> take() {
    for (size_t i = 0; i < rows_.size(); ++i) rows_[i].place = places_.places()[numbers_[i]];
    return std::move(rows_);
  }

 private:
  TracePlaces places_;
  DenseIndex index_;
  std::vector<AllocationRow> rows_;
  std::vector<uint32_t> numbers_;  // of their places
};

}  // namespace

Status pass_allocations(PassContext& context, v1::View& view) {
  AllocationRows collected(context);
  if (context.trace()) {
    PYC_TRY(const Tally whole, context.trace_until_end());
    collected.add_all(*context.trace(), &AllocationRow::in_range);
    collected.add_all(whole, &AllocationRow::whole);
  }
  std::vector<AllocationRow> rows = collected.take();
  std::erase_if(rows, [](const AllocationRow& r) { return r.in_range == AllocationFigures() && r.live_count() == 0; });
  const Symbols& all = context.symbols();
  std::ranges::sort(rows, [&](const AllocationRow& a, const AllocationRow& b) {
    const auto cost = [](const AllocationRow& r) { return std::tuple(r.in_range.bytes, r.whole.live_bytes()); };
    if (cost(a) != cost(b)) return cost(a) > cost(b);
    const auto tie = [&](const AllocationRow& r) {
      return std::tuple(place_order(context, r.place), all.string(r.type));
    };
    return tie(a) < tie(b);
  });
  return fill_rows(context, std::move(rows), view, [&](ViewSymbols& symbols, const AllocationRow& row, v1::View& v) {
    v1::AllocationsTable& table = *v.mutable_allocations();
    table.add_function(symbols.function_or_none(row.place.function));
    table.add_line(row.place.line);
    table.add_type(symbols.text(all.string(row.type)));
    table.add_allocations(row.in_range.allocations);
    table.add_bytes(row.in_range.bytes);
    table.add_frees(row.in_range.frees);
    table.add_live_count(row.live_count());
    table.add_live_bytes(static_cast<uint64_t>(row.whole.live_bytes()));
    table.add_peak_bytes(static_cast<uint64_t>(row.peak_bytes()));
    table.add_temporary_count(row.in_range.temporary);
    add_group(table, context, symbols, row.place.process, row.place.group);
  });
}

}  // namespace pycroscope

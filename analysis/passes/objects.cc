// Objects by type and birthplace, and how long they live.
#include "analysis/passes/row_table.h"
#include "analysis/passes/trace_rows.h"

namespace pycroscope {
namespace {

struct ObjectRow {
  TracePlace place;
  StringId type{};
  ObjectFigures in_range;
  int64_t alive = 0;
};

// The lifetime that `share` of them do not exceed.
int64_t quantile(const ObjectFigures& figures, double share) {
  if (figures.ended == 0) return -1;
  const auto rank = static_cast<uint64_t>(share * static_cast<double>(figures.ended - 1));
  uint64_t before = 0;
  for (const auto& [place, count] : figures.lifetimes)
    if ((before += count) > rank) return static_cast<int64_t>(longest_of_place(place));
  return -1;
}

class ObjectRows {
 public:
  explicit ObjectRows(const PassContext& context) : places_(context) {}

  void add_range(const Tally& tally) {
    each(tally, [](ObjectRow& row, const ObjectFigures& figures) { row.in_range += figures; });
  }
  void add_whole(const Tally& tally) {
    each(tally, [](ObjectRow& row, const ObjectFigures& figures) {
      row.alive += static_cast<int64_t>(figures.count - figures.ended);
    });
  }
  std::vector<ObjectRow> take() { return std::move(rows_); }

 private:
  template <class Add>
  void each(const Tally& tally, Add add) {
    for (uint32_t i = 0; i < tally.objects().size(); ++i) {
      const DenseIndex::Key& key = tally.objects().key(i);
      const auto place = places_.of(tally.contexts()[key[0]], StackId{key[1]});
      if (!place) continue;
      const uint32_t row = index_({*place, key[2], 0});
      if (row == rows_.size())
        rows_.push_back({.place = places_.places()[*place], .type = StringId{key[2]}, .in_range = {}});
      add(rows_[row], tally.objects().at(i));
    }
  }

  TracePlaces places_;
  DenseIndex index_;
  std::vector<ObjectRow> rows_;
};

}  // namespace

Status pass_objects(PassContext& context, v1::View& view) {
  ObjectRows collected(context);
  if (context.trace()) {
    PYC_TRY(const Tally whole, context.trace_until_end());
    collected.add_range(*context.trace());
    collected.add_whole(whole);
  }
  std::vector<ObjectRow> rows = collected.take();
  std::erase_if(rows,
                [](const ObjectRow& r) { return r.in_range.count == 0 && r.in_range.ended == 0 && r.alive == 0; });
  const Symbols& all = context.symbols();
  std::ranges::sort(rows, [&](const ObjectRow& a, const ObjectRow& b) {
    const auto cost = [](const ObjectRow& r) { return std::tuple(r.in_range.bytes, r.in_range.count, r.alive); };
    if (cost(a) != cost(b)) return cost(a) > cost(b);
    const auto tie = [&](const ObjectRow& r) { return std::tuple(all.string(r.type), place_order(context, r.place)); };
    return tie(a) < tie(b);
  });
  return fill_rows(context, std::move(rows), view, [&](ViewSymbols& symbols, const ObjectRow& row, v1::View& v) {
    v1::ObjectsTable& table = *v.mutable_objects();
    table.add_type(symbols.text(all.string(row.type)));
    table.add_count(row.in_range.count);
    table.add_bytes(row.in_range.bytes);
    table.add_alive(static_cast<uint64_t>(std::max<int64_t>(row.alive, 0)));
    table.add_lifetime_p50_ns(quantile(row.in_range, 0.5));
    table.add_lifetime_p99_ns(quantile(row.in_range, 0.99));
    table.add_refcount_seen_max(row.in_range.refcount_max);
    table.add_function(symbols.function_or_none(row.place.function));
    table.add_line(row.place.line);
    add_group(table, context, symbols, row.place.process, row.place.group);
  });
}

}  // namespace pycroscope

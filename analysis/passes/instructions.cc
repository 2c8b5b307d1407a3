// What each bytecode instruction costs.
#include "analysis/passes/row_table.h"

namespace pycroscope {
namespace {

struct InstructionRow {
  LocationId id{};
  Location location;
  uint32_t group = 0, process = 0;
  Weight self, total;  // equal: calls are their function's
};

std::vector<InstructionRow> instruction_rows(const PassContext& context) {
  const Symbols& symbols = context.symbols();
  DenseIndex places;
  std::vector<InstructionRow> rows;
  for (const StackWeight& s : context.stacks()) {
    if (s.stack == StackId{}) continue;
    const LocationId id = symbols.stack(s.stack).location;
    const Location& location = symbols.location(id);
    if (location.offset < 0 || !context.selects(location.function)) continue;
    const uint32_t process = index(symbols.thread(s.thread).process) + 1;
    const uint32_t i = places({index(id), s.group, 0});
    if (i == rows.size())
      rows.push_back(
          {.id = id, .location = location, .group = s.group, .process = kNoProcess, .self = {}, .total = {}});
    rows[i].process = common_process(rows[i].process, process);
    rows[i].total += s.weight;
  }
  for (InstructionRow& row : rows) row.self = row.total;
  return rows;
}

}  // namespace

Status pass_instructions(PassContext& context, v1::View& view) {
  std::vector<InstructionRow> rows = instruction_rows(context);
  sort_by_cost(rows, [&](const InstructionRow& r) {
    return std::tuple(function_order(context.symbols(), r.location.function), r.location.offset,
                      group_order(context, r.group));
  });
  const v1::Knows knows = context.knows();
  return fill_rows(context, std::move(rows), view, [&](ViewSymbols& symbols, const InstructionRow& row, v1::View& v) {
    v1::InstructionsTable& table = *v.mutable_instructions();
    table.add_function(symbols.function(row.location.function));
    table.add_line(row.location.line);
    table.add_offset(row.location.offset);
    table.add_opcode(symbols.text(context.symbols().string(context.symbols().opcode(row.id))));
    table.add_samples(row.self.samples);
    if (knows.hits()) table.add_hits(row.self.instructions);
    if (knows.wall()) table.add_self_ns(row.self.ns);
    add_group(table, context, symbols, row.process, row.group);
  });
}

}  // namespace pycroscope

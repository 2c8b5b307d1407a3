#include "analysis/passes/view_json.h"

#include <fmt/format.h>

#include <iterator>
#include <span>
#include <variant>

#include "analysis/model/loss.h"
#include "analysis/passes/json.h"
#include "analysis/passes/rows.h"

namespace pycroscope {
namespace {

constexpr size_t kChunk = size_t{64} << 10;

struct CellPrinter {
  std::string& out;
  void operator()(std::monostate) { out += "null"; }
  void operator()(const std::string& text) { append_json_string(out, text); }
  void operator()(const LabelTexts& labels) {
    out += '{';
    for (const auto& [key, value] : labels) {
      if (!out.ends_with('{')) out += ", ";
      append_json_string(out, key);
      out += ": ";
      append_json_string(out, value);
    }
    out += '}';
  }
  void operator()(auto number) { fmt::format_to(std::back_inserter(out), "{}", number); }
};

void append_row(std::string& out, const v1::View& view, int row, std::span<const Column> columns) {
  std::string_view before = "{";
  for (const Column& column : columns) {
    if (column.shown && !column.shown(view)) continue;
    out += before;
    fmt::format_to(std::back_inserter(out), "\"{}\": ", column.key);
    std::visit(CellPrinter{out}, cell(view, row, column));
    before = ", ";
  }
  out += '}';
}

}  // namespace

std::string loss_json(const v1::Loss& loss) {
  std::string out = fmt::format("{{\"recorded\": {}, \"lost\": {}, \"by_reason\": {{", loss.recorded(), loss.lost());
  std::string_view before = "";
  for (const v1::LossCount& entry : loss.by_reason()) {
    fmt::format_to(std::back_inserter(out), "{}\"{}\": {}", before, loss_reason_name(entry.reason()), entry.count());
    before = ", ";
  }
  fmt::format_to(std::back_inserter(out), "}}, \"truncated\": {}, \"discarded\": {}}}", loss.truncated(),
                 loss.discarded());
  return out;
}

Status write_view_json(const v1::View& view, const TextOutput& output) {
  const v1::ViewHeader& header = view.header();
  std::string out = fmt::format("{{\"view\": \"{}\", \"session\": {}, \"rows\": [", view_kind_name(header.kind()),
                                json_string(header.session()));
  std::span<const Column> columns = view_columns(header.kind());
  int rows = row_count(view);
  for (int row = 0; row < rows; ++row) {
    out += row ? ",\n " : "\n ";
    append_row(out, view, row, columns);
    if (out.size() < kChunk) continue;
    PYC_CHECK(output(out));
    out.clear();
  }
  fmt::format_to(std::back_inserter(out),
                 "{}], \"total_rows\": {}, \"exact\": {}, \"from_ns\": {}, \"to_ns\": {},\n \"loss\": {}}}\n",
                 rows ? "\n" : "", header.total_rows(), header.exact(), header.from_ns(), header.to_ns(),
                 loss_json(header.loss()));
  return output(out);
}

}  // namespace pycroscope

// One page that works offline: the flame graph and a table of functions, both searched and sorted in the browser.
#include <fmt/format.h>

#include <string>
#include <vector>

#include "analysis/export/assets.h"
#include "analysis/export/export.h"
#include "analysis/export/flame_graph.h"
#include "analysis/export/markup.h"
#include "analysis/export/weight.h"
#include "analysis/passes/pass.h"
#include "analysis/passes/rows.h"

namespace pycroscope {
namespace {

// What comes after the dearest functions is of no use in a page.
constexpr uint32_t kMaxFunctions = 2000;

// Nothing is fetched, and nothing can be sent anywhere.
constexpr std::string_view kPolicy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

struct HtmlColumn {
  std::string title;
  const Column* column;
};

std::string title_of(std::string_view key) {
  if (key == "function") return "Function";
  if (key == "file") return "File";
  if (key == "line") return "Line";
  if (key == "self_samples") return "Self samples";
  if (key == "samples") return "Samples";
  if (key == "self_ns") return "Self time";
  if (key == "total_ns") return "Total time";
  if (key == "self_cpu_ns") return "Self CPU time";
  if (key == "total_cpu_ns") return "Total CPU time";
  if (key == "pid") return "PID";
  return key == "thread" ? "Thread" : "Labels";
}

std::vector<HtmlColumn> columns_of(const v1::View& view, const v1::Knows& knows) {
  std::vector<std::string_view> keys = {"function", "file", "line", "self_samples", "samples"};
  if (knows.cpu()) keys.insert(keys.begin(), {"self_cpu_ns", "total_cpu_ns"});
  if (knows.wall()) keys.insert(keys.begin(), {"self_ns", "total_ns"});
  for (std::string_view key : {"pid", "thread", "labels"}) keys.push_back(key);
  std::vector<HtmlColumn> columns;
  for (std::string_view key : keys) {
    Result<const Column*> column = find_column(v1::VIEW_KIND_FUNCTIONS, key);
    if (column && (!(*column)->shown || (*column)->shown(view))) columns.push_back({title_of(key), *column});
  }
  return columns;
}

bool is_figure(const Column& column) { return column.unit != ColumnUnit::kText && column.unit != ColumnUnit::kLabels; }

class Page {
 public:
  Page(const PassContext& context, const v1::View& functions, const ExportWeight& weight, const ExportOutput& output)
      : context_(context),
        view_(functions),
        weight_(weight),
        columns_(columns_of(functions, context.knows())),
        out_(output) {}

  Status write() {
    add_head();
    PYC_CHECK(write_flame_graph(context_, weight_, out_, "", ""));
    PYC_CHECK(write_table());
    out_.format("<script>\n{}</script>\n<script>\n{}</script>\n</body>\n</html>\n", kFlameGraphScript, kPageScript);
    return out_.finish();
  }

 private:
  void add_head() {
    out_.format(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n"
        "<meta name=\"viewport\" content=\"width=device-width\">\n<title>{}</title>\n"
        "<style>\n{}{}</style>\n</head>\n<body>\n",
        kPolicy, markup_text(session_title(context_.reader().session())), kFlameGraphStyle, kPageStyle);
  }

  Status write_table() {
    out_.add("<main>\n<h2>Functions</h2>\n");
    int rows = row_count(view_);
    if (uint64_t all = view_.header().total_rows(); all > static_cast<uint64_t>(rows))
      out_.format("<p class=\"note\">The first {} of {}.</p>\n", rows, all);
    out_.add("<div class=\"wide\"><table>\n<thead><tr>");
    for (const HtmlColumn& c : columns_)
      out_.format("<th scope=\"col\"{}><button type=\"button\">{}</button></th>",
                  is_figure(*c.column) ? " class=\"n\"" : "", markup_text(c.title));
    out_.add("</tr></thead>\n<tbody>\n");
    for (int row = 0; row < rows; ++row) {
      add_row(row);
      PYC_CHECK(out_.flush());
    }
    out_.add("</tbody>\n</table></div>\n</main>\n");
    return {};
  }

  // What is searched in is the same as in the flame graph: the name and the place.
  void add_row(int row) {
    std::string searched;
    for (const HtmlColumn& c : columns_)
      if (c.column->key == "function" || c.column->key == "file" || c.column->key == "line")
        searched += (searched.empty() ? "" : c.column->key == "line" ? ":" : " ") + text_of(row, *c.column);
    out_.format("<tr data-s=\"{}\">", markup_text(searched));
    for (const HtmlColumn& c : columns_) {
      std::string text = markup_text(text_of(row, *c.column));
      if (is_figure(*c.column))
        out_.format("<td class=\"n\" data-v=\"{}\">{}</td>", number_of(row, *c.column), text);
      else
        out_.format("<td title=\"{0}\">{0}</td>", text);
    }
    out_.add("</tr>\n");
  }

  int64_t number_of(int row, const Column& column) const {
    Cell value = cell(view_, row, column);
    if (const auto* count = std::get_if<uint64_t>(&value)) return static_cast<int64_t>(*count);
    if (const auto* ns = std::get_if<int64_t>(&value)) return *ns;
    return -1;
  }

  std::string text_of(int row, const Column& column) const {
    Cell value = cell(view_, row, column);
    if (const auto* ns = std::get_if<int64_t>(&value)) return amount_text(static_cast<uint64_t>(*ns), {"", true});
    if (const auto* count = std::get_if<uint64_t>(&value)) return std::to_string(*count);
    if (const auto* text = std::get_if<std::string>(&value)) return *text;
    if (column.key == "pid") return "several";
    std::string texts;
    if (const auto* labels = std::get_if<LabelTexts>(&value))
      for (const auto& [key, label] : *labels) texts += fmt::format("{}{}={}", texts.empty() ? "" : ", ", key, label);
    return texts;
  }

  const PassContext& context_;
  const v1::View& view_;
  const ExportWeight& weight_;
  std::vector<HtmlColumn> columns_;
  Pieces out_;
};

}  // namespace

Status export_html(const ExportInput& input, const ExportOutput& output) {
  v1::ViewRequest request = view_request(input.request);
  PYC_TRY(PassContext context, PassContext::create(input.reader, request));
  PYC_TRY(ExportWeight weight, export_weight(context, input.request.weight(), ""));
  request.set_kind(v1::VIEW_KIND_FUNCTIONS);
  request.set_limit(kMaxFunctions);
  PYC_TRY(v1::View functions, compute_view(input.reader, request));
  return Page(context, functions, weight, output).write();
}

}  // namespace pycroscope

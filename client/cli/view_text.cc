#include "client/cli/view_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "analysis/passes/rows.h"
#include "client/cli/group_columns.h"
#include "client/cli/terminal.h"
#include "client/cli/text.h"
#include "client/cli/tree_text.h"

namespace pycroscope {
namespace {

constexpr char kUnknown[] = "?";

template <class Column>
bool in_range(const Column& column, uint32_t index) {
  return index < static_cast<uint32_t>(column.size());
}

std::string share(int64_t part, const v1::View& view) {
  return human_share(static_cast<double>(part), static_cast<double>(whole_ns(view)));
}

// How often: samples, or what a trace counts, or both where a session has both.
class Counts {
 public:
  using Column = google::protobuf::RepeatedField<uint64_t>;
  Counts(const Column& samples, const Column& traced, std::string traced_title)
      : samples_(samples), traced_(traced), traced_title_(std::move(traced_title)) {}

  void add_titles(std::vector<TableColumn>& titles) const {
    if (has_samples()) titles.push_back({"SAMPLES", Align::kRight});
    if (!traced_.empty()) titles.push_back({traced_title_, Align::kRight});
  }
  void add_cells(int row, std::vector<std::string>& cells) const {
    if (has_samples()) cells.push_back(human_count(at(samples_, row)));
    if (!traced_.empty()) cells.push_back(human_count(at(traced_, row)));
  }

 private:
  bool has_samples() const {
    return traced_.empty() || std::ranges::any_of(samples_, [](uint64_t n) { return n > 0; });
  }

  const Column& samples_;
  const Column& traced_;
  std::string traced_title_;
};

// Functions and lines have the same figures; `last` names what they are of.
Table figures_table(const GroupColumns& groups, const Counts& counts, std::vector<TableColumn> last) {
  std::vector<TableColumn> columns = {
      {"SELF", Align::kRight}, {"TOTAL", Align::kRight}, {"SELF TIME", Align::kRight}, {"TOTAL TIME", Align::kRight}};
  counts.add_titles(columns);
  columns.insert(columns.end(), last.begin(), last.end());
  return Table(groups.titles(std::move(columns)));
}

template <class Rows>
std::vector<std::string> figures(const v1::View& view, const Rows& rows, const Counts& counts, int row) {
  const bool cpu = counts_cpu(view);
  const int64_t self = at(cpu ? rows.self_cpu_ns() : rows.self_ns(), row);
  const int64_t total = at(cpu ? rows.total_cpu_ns() : rows.total_ns(), row);
  std::vector<std::string> cells = {share(self, view), share(total, view), human_duration(self), human_duration(total)};
  counts.add_cells(row, cells);
  return cells;
}

Table functions_table(const v1::View& view) {
  const v1::FunctionsTable& rows = view.functions();
  const ViewNames names(view.symbols());
  const GroupColumns groups(view);
  const Counts counts(rows.samples(), rows.calls(), "CALLS");
  Table result =
      figures_table(groups, counts, {{"FUNCTION", Align::kLeft, Shrink::kEnd}, {"WHERE", Align::kLeft, Shrink::kPath}});
  for (int row = 0; row < rows.function_size(); ++row) {
    const uint32_t function = rows.function(row);
    std::vector<std::string> cells = figures(view, rows, counts, row);
    cells.push_back(names.function(function));
    cells.push_back(names.place(function, names.first_line(function)));
    result.add(groups.cells(rows, row, std::move(cells)));
  }
  return result;
}

Table lines_table(const v1::View& view) {
  const v1::LinesTable& rows = view.lines();
  const ViewNames names(view.symbols());
  const GroupColumns groups(view);
  const Counts counts(rows.samples(), rows.hits(), "HITS");
  Table result =
      figures_table(groups, counts, {{"LINE", Align::kLeft, Shrink::kPath}, {"FUNCTION", Align::kLeft, Shrink::kEnd}});
  for (int row = 0; row < rows.function_size(); ++row) {
    const uint32_t function = rows.function(row);
    std::vector<std::string> cells = figures(view, rows, counts, row);
    cells.push_back(names.place(function, at(rows.line(), row)));
    cells.push_back(names.function(function));
    result.add(groups.cells(rows, row, std::move(cells)));
  }
  return result;
}

Table edges_table(const v1::View& view) {
  const v1::EdgesTable& table = view.edges();
  const ViewNames names(view.symbols());
  const GroupColumns groups(view);
  const bool cpu = counts_cpu(view);
  const char* other = view.header().kind() == v1::VIEW_KIND_CALLERS ? "CALLED BY" : "CALLS";
  const Counts counts(table.samples(), table.calls(), "TIMES");
  std::vector<TableColumn> columns = {{"TOTAL", Align::kRight}, {"TOTAL TIME", Align::kRight}};
  counts.add_titles(columns);
  columns.insert(columns.end(), {{"FUNCTION", Align::kLeft, Shrink::kEnd},
                                 {"WHERE", Align::kLeft, Shrink::kPath},
                                 {other, Align::kLeft, Shrink::kEnd},
                                 {"WHERE", Align::kLeft, Shrink::kPath}});
  Table result(groups.titles(std::move(columns)));
  for (int row = 0; row < table.function_size(); ++row) {
    const uint32_t function = table.function(row), partner = at(table.other(), row);
    const int64_t total = at(cpu ? table.total_cpu_ns() : table.total_ns(), row);
    std::vector<std::string> cells = {share(total, view), human_duration(total)};
    counts.add_cells(row, cells);
    for (const uint32_t each : {function, partner}) {
      cells.push_back(names.function(each));
      cells.push_back(names.place(each, names.first_line(each)));
    }
    result.add(groups.cells(table, row, std::move(cells)));
  }
  return result;
}

Table threads_table(const v1::View& view) {
  const v1::ThreadsTable& table = view.threads();
  const ViewNames names(view.symbols());
  const GroupColumns groups(view);
  Table result(groups.titles({{"PID", Align::kRight},
                              {"THREAD", Align::kRight},
                              {"SHARE", Align::kRight},
                              {"ON CPU", Align::kRight},
                              {"SAMPLES", Align::kRight},
                              {"NAME", Align::kLeft, Shrink::kEnd}}));
  for (int row = 0; row < table.thread_size(); ++row) {
    const ViewNames::Thread thread = names.thread(table.thread(row));
    const int64_t on_cpu = at(table.on_cpu_ns(), row);
    result.add(groups.cells(table, row,
                            {std::to_string(thread.pid), std::to_string(thread.tid), share(on_cpu, view),
                             human_duration(on_cpu), human_count(at(table.samples(), row)), thread.name}));
  }
  return result;
}

std::string title_of(std::string_view key) {
  std::string title(key);
  for (char& c : title) c = c == '_' ? ' ' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  for (const std::string_view unit : {" NS", " BYTES"})
    if (title.ends_with(unit)) title.resize(title.size() - unit.size());
  return title;
}

std::string cell_text(const Cell& value, ColumnUnit unit) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* ns = std::get_if<int64_t>(&value)) return human_duration(*ns);
  if (const auto* number = std::get_if<uint64_t>(&value)) {
    if (unit == ColumnUnit::kBytes) return human_bytes(*number);
    return unit == ColumnUnit::kCount ? human_count(*number) : std::to_string(*number);
  }
  return "-";
}

// A table of all columns of the view as they are.
Table plain_table(const v1::View& view) {
  std::vector<const Column*> shown;
  std::vector<TableColumn> titles;
  for (const Column& column : view_columns(view.header().kind())) {
    if (column.unit == ColumnUnit::kLabels || (column.shown && !column.shown(view))) continue;
    shown.push_back(&column);
    if (column.unit != ColumnUnit::kText)
      titles.push_back({title_of(column.key), Align::kRight});
    else
      titles.push_back(
          {title_of(column.key), Align::kLeft, column.key.contains("file") ? Shrink::kPath : Shrink::kEnd});
  }
  Table result(std::move(titles));
  for (int row = 0; row < row_count(view); ++row) {
    std::vector<std::string> cells;
    for (const Column* column : shown) cells.push_back(cell_text(cell(view, row, *column), column->unit));
    result.add(std::move(cells));
  }
  return result;
}

}  // namespace

std::string ViewNames::string(uint32_t index) const {
  return in_range(symbols_.strings(), index) ? symbols_.strings(static_cast<int>(index)) : kUnknown;
}

std::string ViewNames::function(uint32_t index) const {
  const auto& column = symbols_.functions().name();
  return in_range(column, index) ? string(column.Get(static_cast<int>(index))) : kUnknown;
}

std::string ViewNames::file(uint32_t function) const {
  const auto& functions = symbols_.functions().file();
  if (!in_range(functions, function)) return kUnknown;
  const uint32_t file = functions.Get(static_cast<int>(function));
  const auto& paths = symbols_.files().path();
  return in_range(paths, file) ? string(paths.Get(static_cast<int>(file))) : kUnknown;
}

uint32_t ViewNames::first_line(uint32_t function) const {
  const auto& column = symbols_.functions().first_line();
  return in_range(column, function) ? column.Get(static_cast<int>(function)) : 0;
}

std::string ViewNames::place(uint32_t function, uint32_t line) const {
  const std::string path = file(function);
  return line == 0 ? path : fmt::format("{}:{}", path, line);
}

ViewNames::Thread ViewNames::thread(uint32_t index) const {
  const v1::Threads& threads = symbols_.threads();
  if (!in_range(threads.tid(), index)) return {};
  const int row = static_cast<int>(index);
  const uint32_t process = at(threads.process(), row);
  const auto& pids = symbols_.processes().pid();
  return {in_range(pids, process) ? pids.Get(static_cast<int>(process)) : 0, threads.tid(row),
          string(at(threads.name(), row))};
}

std::string ViewNames::pid(uint32_t process) const {
  const auto& pids = symbols_.processes().pid();
  if (process == 0) return "several";
  return in_range(pids, process - 1) ? std::to_string(pids.Get(static_cast<int>(process - 1))) : kUnknown;
}

std::string ViewNames::thread_title(uint32_t index) const {
  if (index == 0) return "several";
  const Thread found = thread(index - 1);
  return found.name.empty() ? fmt::format("thread {}", found.tid) : found.name;
}

std::string ViewNames::label(uint32_t label_set, std::string_view key) const {
  const auto& sets = symbols_.label_sets().sets();
  if (!in_range(sets, label_set)) return kUnknown;
  const v1::LabelSet& set = sets.Get(static_cast<int>(label_set));
  for (int i = 0; i < std::min(set.key_size(), set.value_size()); ++i)
    if (string(set.key(i)) == key) return string(set.value(i));
  return "";
}

bool counts_cpu(const v1::View& view) { return !view.header().knows().wall(); }

int64_t whole_ns(const v1::View& view) {
  return counts_cpu(view) ? view.header().total_cpu_ns() : view.header().total_wall_ns();
}

Table view_table(const v1::View& view) {
  switch (view.table_case()) {
    case v1::View::kFunctions:
      return functions_table(view);
    case v1::View::kLines:
      return lines_table(view);
    case v1::View::kEdges:
      return edges_table(view);
    case v1::View::kThreads:
      return threads_table(view);
    case v1::View::kInstructions:
    case v1::View::kAllocations:
    case v1::View::kObjects:
    case v1::View::kMemory:
    case v1::View::kGc:
    case v1::View::kImports:
    case v1::View::kExceptions:
      return plain_table(view);
    case v1::View::kTree:
    case v1::View::TABLE_NOT_SET:
      return Table({});
  }
  return Table({});
}

std::string view_text(const v1::View& view, size_t width) {
  if (view.table_case() == v1::View::kTree) return tree_text(view, width);
  const Table table = view_table(view);
  if (table.empty()) return "";
  std::string result;
  const std::vector<std::string> lines = table.lines(width);
  for (size_t i = 0; i < lines.size(); ++i) result += (i == 0 ? bold(lines[i]) : lines[i]) + "\n";
  return result;
}

}  // namespace pycroscope

// The one place that knows the keys of each view's rows, as the command line documents them: sorting, JSON and tables
// are all written on top of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "analysis/model/result.h"
#include "pycroscope/v1/views.pb.h"

namespace pycroscope {

// Keys and values of labels.
using LabelTexts = std::vector<std::pair<std::string, std::string>>;
// One figure of one row. monostate: this session cannot know it, printed as null and never as 0.
using Cell = std::variant<std::monostate, int64_t, uint64_t, double, std::string, LabelTexts>;

// What a column's figures are, for those who print them for people. Cells of kText hold strings, of kNanoseconds
// int64_t, of kLabels LabelTexts, of the others uint64_t.
enum class ColumnUnit { kText, kLine, kId, kCount, kNanoseconds, kBytes, kLabels };

struct Column {
  std::string_view key;  // as in JSON: "self_cpu_ns"
  ColumnUnit unit;
  Cell (*get)(const v1::View& view, int row);  // 0 <= row < row_count(view)
  // Whether the view has the column: what rows are grouped by is there only where they are. Null: always.
  bool (*shown)(const v1::View& view) = nullptr;
};

// The columns that a view can have in the order in which they are printed; empty for an unspecified kind.
std::span<const Column> view_columns(v1::ViewKind kind);
// kInvalid, naming the keys there are, for a key that is not one of them.
Result<const Column*> find_column(v1::ViewKind kind, std::string_view key);

int row_count(const v1::View& view);
inline Cell cell(const v1::View& view, int row, const Column& column) { return column.get(view, row); }

// "functions" for VIEW_KIND_FUNCTIONS.
std::string_view view_kind_name(v1::ViewKind kind);

}  // namespace pycroscope

#include "analysis/passes/row_table.h"

#include <numeric>
#include <type_traits>
#include <variant>

namespace pycroscope {
namespace {

// Whether `a` stands before `b`. Both are of one column: of the same type, or unknown.
bool before(const Cell& a, const Cell& b) {
  if (a.index() != b.index()) return std::holds_alternative<std::monostate>(b);
  return std::visit(
      [&](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::monostate>)
          return false;
        else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, LabelTexts>)
          return value < std::get<T>(b);
        else
          return value > std::get<T>(b);
      },
      a);
}

}  // namespace

std::vector<uint32_t> row_order(const v1::View& view, const Column& column) {
  std::vector<Cell> cells;
  int rows = row_count(view);
  cells.reserve(static_cast<size_t>(rows));
  for (int row = 0; row < rows; ++row) cells.push_back(cell(view, row, column));
  std::vector<uint32_t> order(cells.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](uint32_t a, uint32_t b) { return before(cells[a], cells[b]); });
  return order;
}

}  // namespace pycroscope

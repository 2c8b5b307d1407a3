#include "client/cli/table.h"

#include <algorithm>
#include <functional>

#include "client/cli/text.h"

namespace pycroscope {
namespace {

constexpr size_t kGap = 2;
constexpr size_t kNarrowest = 12;

std::string fit(const std::string& cell, Shrink shrink, size_t width) {
  switch (shrink) {
    case Shrink::kStart:
      return cut_start(cell, width);
    case Shrink::kPath:
      return shorten_path(cell, width);
    case Shrink::kEnd:
    case Shrink::kNever:
      return cut_end(cell, width);
  }
  return cell;
}

template <class Columns, class Width>
size_t total_width(const Columns& columns, const Width& width) {
  size_t total = 0;
  for (const auto& column : columns) total += std::invoke(width, column) + kGap;
  return total - std::min(total, kGap);
}

}  // namespace

void Table::add(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = visible(cell);
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

std::vector<Table::Shown> Table::as_wide_as_it_comes() const {
  std::vector<Shown> columns;
  for (size_t i = 0; i < columns_.size(); ++i) {
    size_t widest = display_width(columns_[i].title);
    for (const auto& row : rows_) widest = std::max(widest, display_width(row[i]));
    columns.push_back({i, widest});
  }
  return columns;
}

void Table::leave_out(std::vector<Shown>& columns, size_t width) const {
  const auto narrowest = [this](const Shown& shown) {
    return columns_[shown.column].shrink == Shrink::kNever ? shown.width : std::min(shown.width, kNarrowest);
  };
  const auto dispensable = [this](const Shown& shown) { return columns_[shown.column].dispensable; };
  while (total_width(columns, narrowest) > width) {
    const auto first = std::ranges::max_element(columns, {}, dispensable);
    if (dispensable(*first) == 0) return;
    columns.erase(first);
  }
}

// The widest column that can still give way does, a little at a time, so that a long path does not starve the rest.
void Table::shrink(std::vector<Shown>& columns, size_t width) const {
  size_t total = total_width(columns, &Shown::width);
  for (; total > width; --total) {
    Shown* victim = nullptr;
    for (Shown& shown : columns) {
      if (columns_[shown.column].shrink == Shrink::kNever || shown.width <= kNarrowest) continue;
      if (victim == nullptr || shown.width >= victim->width) victim = &shown;
    }
    if (victim == nullptr) return;
    --victim->width;
  }
}

std::string Table::line(const std::vector<std::string>& cells, const std::vector<Shown>& columns) const {
  std::string result;
  for (const auto& [column, width] : columns) {
    const std::string cell = fit(cells[column], columns_[column].shrink, width);
    const std::string padding(width - std::min(width, display_width(cell)), ' ');
    if (column != columns.front().column) result.append(kGap, ' ');
    result += columns_[column].align == Align::kRight ? padding + cell : cell + padding;
  }
  result.erase(result.find_last_not_of(' ') + 1);
  return result;
}

std::vector<std::string> Table::lines(size_t width) const {
  std::vector<Shown> columns = as_wide_as_it_comes();
  if (width > 0) {
    leave_out(columns, width);
    shrink(columns, width);
  }
  std::vector<std::string> titles;
  for (const TableColumn& column : columns_) titles.push_back(column.title);
  std::vector<std::string> result = {line(titles, columns)};
  for (const auto& row : rows_) result.push_back(line(row, columns));
  return result;
}

std::string Table::text(size_t width) const {
  std::string result;
  for (const std::string& line : lines(width)) result += line + '\n';
  return result;
}

}  // namespace pycroscope

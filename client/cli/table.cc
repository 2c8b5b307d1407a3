#include "client/cli/table.h"

#include <algorithm>

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

}  // namespace

void Table::add(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = visible(cell);
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

std::vector<size_t> Table::column_widths(size_t width) const {
  std::vector<size_t> widths;
  size_t total = kGap * (columns_.size() - 1);
  for (size_t i = 0; i < columns_.size(); ++i) {
    size_t widest = display_width(columns_[i].title);
    for (const auto& row : rows_) widest = std::max(widest, display_width(row[i]));
    widths.push_back(widest);
    total += widest;
  }
  // The widest column that can still give way does, a little at a time, so that a long path does not starve the rest.
  while (width > 0 && total > width) {
    size_t victim = columns_.size();
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (columns_[i].shrink == Shrink::kNever || widths[i] <= kNarrowest) continue;
      if (victim == columns_.size() || widths[i] >= widths[victim]) victim = i;
    }
    if (victim == columns_.size()) break;
    --widths[victim];
    --total;
  }
  return widths;
}

std::string Table::line(const std::vector<std::string>& cells, const std::vector<size_t>& widths) const {
  std::string result;
  for (size_t i = 0; i < columns_.size(); ++i) {
    const std::string cell = fit(cells[i], columns_[i].shrink, widths[i]);
    const std::string padding(widths[i] - std::min(widths[i], display_width(cell)), ' ');
    if (i > 0) result.append(kGap, ' ');
    result += columns_[i].align == Align::kRight ? padding + cell : cell + padding;
  }
  result.erase(result.find_last_not_of(' ') + 1);
  return result;
}

std::vector<std::string> Table::lines(size_t width) const {
  const std::vector<size_t> widths = column_widths(width);
  std::vector<std::string> titles;
  for (const TableColumn& column : columns_) titles.push_back(column.title);
  std::vector<std::string> result = {line(titles, widths)};
  for (const auto& row : rows_) result.push_back(line(row, widths));
  return result;
}

std::string Table::text(size_t width) const {
  std::string result;
  for (const std::string& line : lines(width)) result += line + '\n';
  return result;
}

}  // namespace pycroscope

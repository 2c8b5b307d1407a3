// Text in aligned columns, cut to a width.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace pycroscope {

enum class Align { kLeft, kRight };
// How a column gives way when the table is wider than it may be.
enum class Shrink { kNever, kEnd, kStart, kPath };

struct TableColumn {
  std::string title;
  Align align = Align::kLeft;
  Shrink shrink = Shrink::kNever;
  // Which column goes first when the table stays too wide: that with the largest number; 0 stays.
  int dispensable = 0;
};

class Table {
 public:
  explicit Table(std::vector<TableColumn> columns) : columns_(std::move(columns)) {}

  // As many cells as there are columns. Control characters are made visible.
  void add(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }

  // A title line, then one line a row, two spaces between columns, no trailing spaces. `width` 0: as wide as it comes.
  // Columns that may shrink share what is left of `width`, each keeping at least 12; where that is not enough, columns
  // that can be dispensed with are left out.
  std::string text(size_t width) const;
  // Lines without the line feed, the title first.
  std::vector<std::string> lines(size_t width) const;

 private:
  struct Shown {
    size_t column, width;
  };
  std::vector<Shown> as_wide_as_it_comes() const;
  void leave_out(std::vector<Shown>& columns, size_t width) const;
  void shrink(std::vector<Shown>& columns, size_t width) const;
  std::string line(const std::vector<std::string>& cells, const std::vector<Shown>& columns) const;

  std::vector<TableColumn> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace pycroscope

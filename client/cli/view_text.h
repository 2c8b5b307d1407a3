// Views as tables that people read.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "client/cli/table.h"
#include "pycroscope/v1/views.pb.h"

namespace pycroscope {

// The names behind a view's indices. Indices that a damaged answer gets wrong give "?".
class ViewNames {
 public:
  explicit ViewNames(const v1::SymbolTable& symbols) : symbols_(symbols) {}

  std::string string(uint32_t index) const;
  std::string function(uint32_t index) const;
  std::string file(uint32_t function) const;
  uint32_t first_line(uint32_t function) const;
  // "path:line" of a function, or the module of a frame that is not Python's.
  std::string place(uint32_t function, uint32_t line) const;

  struct Thread {
    int32_t pid = 0, tid = 0;
    std::string name;
  };
  Thread thread(uint32_t index) const;
  // Of a row's `process` and `thread` (index + 1, 0: several): the pid, the name or "thread TID", or "several".
  std::string pid(uint32_t process) const;
  std::string thread_title(uint32_t thread) const;
  // The value of a label set for `key`, empty where it has none.
  std::string label(uint32_t label_set, std::string_view key) const;

 private:
  const v1::SymbolTable& symbols_;
};

// A figure of a column; 0 where the answer has fewer of them than rows.
template <class FigureColumn>
auto at(const FigureColumn& column, int row) {
  return row < column.size() ? column.Get(row) : typename FigureColumn::value_type{};
}

// Shares and times of a view are of CPU time where the session knows that, else of elapsed time.
bool counts_cpu(const v1::View& view);
int64_t whole_ns(const v1::View& view);

// The view's table; a tree is drawn with lines. The text is empty when the view has no rows.
std::string view_text(const v1::View& view, size_t width);

// The same as a Table for callers that place the lines themselves. Not for trees.
Table view_table(const v1::View& view);

}  // namespace pycroscope

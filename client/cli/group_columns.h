// The columns of a table that say what its rows are of: the process, the thread, labels.
#pragma once

#include <string>
#include <vector>

#include "client/cli/table.h"
#include "client/cli/view_text.h"
#include "pycroscope/v1/views.pb.h"

namespace pycroscope {

// There where rows are grouped by these, the process also where there are several.
class GroupColumns {
 public:
  // The view must outlive this.
  explicit GroupColumns(const v1::View& view);

  // `others` with the group's columns before them.
  std::vector<TableColumn> titles(std::vector<TableColumn> others) const;
  template <class Rows>
  std::vector<std::string> cells(const Rows& table, int row, std::vector<std::string> others) const {
    Owner owner{.labels = at(table.label_set(), row)};
    if constexpr (requires { table.process(); }) owner.process = at(table.process(), row);
    if constexpr (requires { table.process(); }) owner.thread = at(table.thread(), row);
    return cells(owner, std::move(others));
  }

 private:
  struct Owner {
    uint32_t process = 0, thread = 0, labels = 0;  // as the tables have them
  };
  std::vector<std::string> cells(const Owner& owner, std::vector<std::string> others) const;

  const ViewNames names_;
  std::vector<std::string> keys_;
};

}  // namespace pycroscope

#include "client/cli/group_columns.h"

#include <algorithm>
#include <cctype>
#include <iterator>

#include "analysis/passes/grouping.h"

namespace pycroscope {
namespace {

TableColumn title(const std::string& key) {
  if (key == kByProcess) return {"PID", Align::kRight};
  std::string upper;
  for (const char c : key) upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return {upper, Align::kLeft, Shrink::kEnd};
}

}  // namespace

GroupColumns::GroupColumns(const v1::View& view)
    : names_(view.symbols()), keys_(view.header().group_by().begin(), view.header().group_by().end()) {
  // A table of threads has these columns of its own.
  if (view.table_case() == v1::View::kThreads)
    std::erase_if(keys_, [](const std::string& key) { return key == kByProcess || key == kByThread; });
  else if (view.header().processes() > 1 && std::ranges::find(keys_, kByProcess) == keys_.end())
    keys_.insert(keys_.begin(), std::string(kByProcess));
}

std::vector<TableColumn> GroupColumns::titles(std::vector<TableColumn> others) const {
  std::vector<TableColumn> columns;
  for (const std::string& key : keys_) columns.push_back(title(key));
  std::ranges::move(others, std::back_inserter(columns));
  return columns;
}

std::vector<std::string> GroupColumns::cells(const Owner& owner, std::vector<std::string> others) const {
  std::vector<std::string> cells;
  for (const std::string& key : keys_) {
    cells.push_back(key == kByProcess  ? names_.pid(owner.process)
                    : key == kByThread ? names_.thread_title(owner.thread)
                                       : names_.label(owner.labels, key));
  }
  std::ranges::move(others, std::back_inserter(cells));
  return cells;
}

}  // namespace pycroscope

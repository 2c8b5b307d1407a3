#include "client/cli/top_model.h"

#include <algorithm>
#include <cctype>

#include "client/cli/text.h"
#include "client/cli/view_text.h"

namespace pycroscope {
namespace {

constexpr TopSort kSorts[] = {TopSort::kSelfNow, TopSort::kTotalNow, TopSort::kSelf, TopSort::kTotal};

bool contains(std::string_view text, std::string_view part) {
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
  };
  return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

std::string share(int64_t part, int64_t whole) {
  return human_share(static_cast<double>(part), static_cast<double>(whole));
}

std::vector<TableColumn> thread_columns() {
  return {{"NOW", Align::kRight, Shrink::kNever, 1},
          {"ON CPU", Align::kRight, Shrink::kNever, 3},
          {"THREAD", Align::kLeft, Shrink::kEnd},
          {"ID", Align::kLeft, Shrink::kNever, 2}};
}

// On a narrow terminal the column that the rows are sorted by stays as long as their names do.
std::vector<TableColumn> function_columns(TopSort sort) {
  std::vector<TableColumn> result = {
      {"SELF NOW", Align::kRight, Shrink::kNever, 2}, {"TOTAL NOW", Align::kRight, Shrink::kNever, 3},
      {"SELF", Align::kRight, Shrink::kNever, 5},     {"TOTAL", Align::kRight, Shrink::kNever, 6},
      {"FUNCTION", Align::kLeft, Shrink::kEnd},       {"WHERE", Align::kLeft, Shrink::kPath, 4}};
  result[static_cast<size_t>(sort)].dispensable = 1;
  return result;
}

}  // namespace

std::string_view top_sort_name(TopSort sort) {
  switch (sort) {
    case TopSort::kSelfNow:
      return "self now";
    case TopSort::kTotalNow:
      return "total now";
    case TopSort::kSelf:
      return "self";
    case TopSort::kTotal:
      return "total";
  }
  return "";
}

TopSort next_top_sort(TopSort sort, int step) {
  constexpr int kCount = std::size(kSorts);
  return kSorts[(static_cast<int>(sort) + kCount + step) % kCount];
}

void TopModel::count(Rows& rows, Key key, int64_t self_ns, int64_t total_ns) {
  Figures& figures = rows[std::move(key)];
  figures.self_now_ns += self_ns;
  figures.total_now_ns += total_ns;
  figures.self_ns += self_ns;
  figures.total_ns += total_ns;
}

void TopModel::add_functions(const v1::View& view) {
  const ViewNames names(view.symbols());
  const v1::FunctionsTable& table = view.functions();
  for (int row = 0; row < table.function_size(); ++row) {
    const uint32_t function = table.function(row);
    count(functions_, {names.function(function), names.place(function, names.first_line(function))},
          at(counts_cpu(view) ? table.self_cpu_ns() : table.self_ns(), row),
          at(counts_cpu(view) ? table.total_cpu_ns() : table.total_ns(), row));
  }
}

void TopModel::add_lines(const v1::View& view) {
  const ViewNames names(view.symbols());
  const v1::LinesTable& table = view.lines();
  for (int row = 0; row < table.function_size(); ++row) {
    const uint32_t function = table.function(row);
    count(lines_, {names.function(function), names.place(function, at(table.line(), row))},
          at(counts_cpu(view) ? table.self_cpu_ns() : table.self_ns(), row),
          at(counts_cpu(view) ? table.total_cpu_ns() : table.total_ns(), row));
  }
}

void TopModel::add_threads(const v1::View& view) {
  const ViewNames names(view.symbols());
  const v1::ThreadsTable& table = view.threads();
  for (int row = 0; row < table.thread_size(); ++row) {
    const ViewNames::Thread thread = names.thread(table.thread(row));
    const int64_t on_cpu = at(table.on_cpu_ns(), row);
    count(threads_, {thread.name, std::to_string(thread.tid)}, on_cpu, on_cpu);
  }
}

void TopModel::add(const v1::RecordingUpdate& update) {
  session_ = update.session();
  if (!update.has_top_functions()) return;
  for (Rows* rows : {&functions_, &lines_, &threads_}) {
    for (auto& [key, figures] : *rows) figures.self_now_ns = figures.total_now_ns = 0;
  }
  add_functions(update.top_functions());
  add_lines(update.top_lines());
  add_threads(update.top_threads());
  interval_samples_ = update.top_functions().header().total_samples();
  whole_now_ns_ = whole_ns(update.top_functions());
  whole_ns_ += whole_now_ns_;
  interval_ns_ = session_.duration_ns() - last_duration_ns_;
  last_duration_ns_ = session_.duration_ns();
}

void TopModel::reset() {
  functions_.clear();
  lines_.clear();
  threads_.clear();
  whole_ns_ = 0;
}

const TopModel::Rows& TopModel::rows(TopView view) const {
  return view == TopView::kFunctions ? functions_ : view == TopView::kLines ? lines_ : threads_;
}

Table TopModel::table(TopView view, TopSort sort, std::string_view filter) const {
  const auto rank = [sort](const Figures& figures) {
    switch (sort) {
      case TopSort::kSelfNow:
        return figures.self_now_ns;
      case TopSort::kTotalNow:
        return figures.total_now_ns;
      case TopSort::kSelf:
        return figures.self_ns;
      case TopSort::kTotal:
        return figures.total_ns;
    }
    return figures.self_now_ns;
  };
  std::vector<const Rows::value_type*> shown;
  for (const auto& row : rows(view)) {
    if (contains(row.first.name, filter) || contains(row.first.place, filter)) shown.push_back(&row);
  }
  std::stable_sort(shown.begin(), shown.end(), [&](const auto* a, const auto* b) {
    // Rows that the chosen figure cannot tell apart are in the order of their sums.
    return std::pair(rank(a->second), a->second.self_ns) > std::pair(rank(b->second), b->second.self_ns);
  });
  Table table(view == TopView::kThreads ? thread_columns() : function_columns(sort));
  for (const auto* row : shown) {
    const Figures& figures = row->second;
    if (view == TopView::kThreads) {
      table.add({share(figures.self_now_ns, whole_now_ns_), human_duration(figures.self_ns), row->first.name,
                 row->first.place});
    } else {
      table.add({share(figures.self_now_ns, whole_now_ns_), share(figures.total_now_ns, whole_now_ns_),
                 human_duration(figures.self_ns), human_duration(figures.total_ns), row->first.name, row->first.place});
    }
  }
  return table;
}

}  // namespace pycroscope

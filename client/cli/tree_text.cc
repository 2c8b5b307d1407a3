#include "client/cli/tree_text.h"

#include <fmt/format.h>

#include <vector>

#include "client/cli/terminal.h"
#include "client/cli/text.h"
#include "client/cli/view_text.h"

namespace pycroscope {
namespace {

constexpr size_t kFigures = 17;  // "100.0 %  100.0 %  "
constexpr size_t kPlace = 40;

class TreeWriter {
 public:
  TreeWriter(const v1::View& view, size_t width)
      : view_(view), tree_(view.tree()), names_(view.symbols()), width_(width), children_(node_count()) {
    for (uint32_t node = 1; node < node_count(); ++node) {
      const uint32_t parent = tree_.parent(static_cast<int>(node));
      if (parent < node) children_[parent].push_back(node);
    }
  }

  // Not recursive: a stack of Python calls may be deeper than ours.
  std::string write() {
    struct Pending {
      uint32_t node;
      std::string before, below;  // what is drawn before the node, and before its children
    };
    std::vector<Pending> pending = {{0, "", ""}};
    std::string out = bold(fmt::format("{:>7}  {:>7}  {}", "TOTAL", "SELF", "FUNCTION")) + "\n";
    while (!pending.empty()) {
      const Pending now = std::move(pending.back());
      pending.pop_back();
      out += line(now.node, now.before);
      const std::vector<uint32_t>& children = children_[now.node];
      for (size_t i = children.size(); i-- > 0;) {
        const bool last = i + 1 == children.size();
        // An only child goes straight down: chains of calls do not wander off to the right.
        const bool chain = children.size() == 1 && now.node != 0;
        pending.push_back({children[i],
                           now.below + (chain  ? "╰ "
                                        : last ? "└─ "
                                               : "├─ "),
                           now.below + (chain  ? ""
                                        : last ? "   "
                                               : "│  ")});
      }
    }
    return out;
  }

 private:
  uint32_t node_count() const { return static_cast<uint32_t>(tree_.parent_size()); }

  std::string share(const google::protobuf::RepeatedField<int64_t>& column, int row) const {
    const int64_t value = row < column.size() ? column.Get(row) : 0;
    return value == 0 ? "" : human_share(static_cast<double>(value), static_cast<double>(whole_ns(view_)));
  }

  // Where the processes are merged: of the outermost frames that only one of them has.
  std::string process(int row) const {
    const auto& process = tree_.process();
    if (row == 0 || row >= process.size() || process.Get(row) == 0) return "";
    const uint32_t parent = tree_.parent(row);
    if (at(process, static_cast<int>(parent)) == process.Get(row) || tree_.label_string(row) != 0) return "";
    return fmt::format(" [process {}]", names_.pid(process.Get(row)));
  }

  std::string title(int row, size_t room) const {
    if (row < tree_.label_string_size() && tree_.label_string(row) != 0) {
      return cut_end(visible(names_.string(tree_.label_string(row))), room);
    }
    const auto& frames = view_.symbols().frames();
    const uint32_t frame = row < tree_.frame_size() ? tree_.frame(row) : 0;
    if (frame >= static_cast<uint32_t>(frames.function_size())) return "?";
    const uint32_t function = frames.function(static_cast<int>(frame));
    const std::string name = visible(names_.function(function));
    const std::string place = visible(names_.place(function, frames.line(static_cast<int>(frame))));
    const size_t left = room > display_width(name) + 3 ? room - display_width(name) - 3 : 0;
    if (left < 8) return cut_end(name, room);
    return fmt::format("{} ({})", name,
                       shorten_path(place, std::min(left, width_ == 0 ? left : std::max(left, kPlace))));
  }

  std::string line(uint32_t node, const std::string& before) const {
    const int row = static_cast<int>(node);
    const bool cpu = counts_cpu(view_);
    const std::string owner = process(row);
    const size_t used = kFigures + 1 + display_width(before) + owner.size();
    const size_t room = width_ == 0 ? 10'000 : width_ > used + 12 ? width_ - used : 12;
    return fmt::format("{:>7}  {:>7}  {}{}{}\n", share(cpu ? tree_.total_cpu_ns() : tree_.total_ns(), row),
                       share(cpu ? tree_.self_cpu_ns() : tree_.self_ns(), row), before, title(row, room), owner);
  }

  const v1::View& view_;
  const v1::TreeTable& tree_;
  const ViewNames names_;
  const size_t width_;
  std::vector<std::vector<uint32_t>> children_;
};

}  // namespace

std::string tree_text(const v1::View& view, size_t width) {
  if (view.tree().parent_size() == 0) return "";
  return TreeWriter(view, width).write();
}

}  // namespace pycroscope

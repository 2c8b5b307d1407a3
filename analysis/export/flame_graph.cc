#include "analysis/export/flame_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "analysis/export/markup.h"
#include "analysis/export/module_group.h"
#include "analysis/passes/fold.h"

namespace pycroscope {
namespace {

// What is narrower is folded: a fraction of a pixel.
constexpr double kMinShare = 0.0005;
constexpr uint32_t kMaxNodes = 20'000;

// Pixels, as flamegraph.js has them.
constexpr double kWidth = 1200, kPad = 10;
constexpr uint32_t kRow = 18, kTop = 92;

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

class FlameGraph {
 public:
  FlameGraph(const PassContext& context, const ExportWeight& weight, Pieces& out)
      : context_(context), symbols_(context.symbols()), weight_(weight), out_(out) {
    CallTrie trie(symbols_, context.grouping(), context.stacks_with_selected(), !context.request().tree().no_lines());
    nodes_ = fold_trie(trie, {.max_nodes = kMaxNodes, .min_share = kMinShare});
    order_ = depth_first(nodes_, dearest_first(symbols_, context.grouping(), nodes_));
    place();
  }

  Status write(std::string_view first, std::string_view last) {
    add_head(first);
    for (uint32_t n : order_) {
      add_frame(n);
      PYC_CHECK(out_.flush());
    }
    out_.format("</g>\n{}</svg>\n", last);
    return {};
  }

 private:
  struct Place {
    uint64_t begin = 0, used = 0;  // used: by children placed so far
    uint32_t depth = 0;
  };

  void place() {
    places_.resize(nodes_.size());
    for (uint32_t n : order_) {
      if (n) {
        Place& parent = places_[nodes_[n].parent];
        places_[n] = {parent.begin + parent.used, 0, parent.depth + 1};
        parent.used += value(n);
      }
      deepest_ = std::max(deepest_, places_[n].depth);
    }
  }

  uint64_t value(uint32_t n) const { return weight_.of(nodes_[n].call.total); }
  double share(uint64_t value) const {
    uint64_t all = weight_.of(nodes_[0].call.total);
    return all ? static_cast<double>(value) / static_cast<double>(all) : 0;
  }
  bool is_frame(uint32_t n) const { return nodes_[n].call.kind == NodeKind::kFrame && !nodes_[n].folded; }
  const Function& function(uint32_t n) const { return symbols_.function(nodes_[n].call.function); }
  std::string_view path(uint32_t n) const { return symbols_.string(symbols_.file(function(n).file).path); }
  uint32_t line(uint32_t n) const { return nodes_[n].call.line ? nodes_[n].call.line : function(n).first_line; }

  void add_head(std::string_view first) {
    uint32_t height = kTop + (deepest_ + 1) * kRow + 12;
    out_.format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1}\" viewBox=\"0 0 {0:.0f} {1}\" "
        "data-top=\"{2}\" data-height=\"{1}\">\n{3}",
        kWidth, height, kTop, first);
    out_.format("<title>{0}</title>\n<text id=\"title\" x=\"{1}\" y=\"26\">{0}</text>\n", markup_text(headline()),
                kPad);
    out_.format("<text id=\"subtitle\" x=\"{}\" y=\"47\">{}</text>\n", kPad, markup_text(subtitle()));
    add_legend();
    out_.format(
        "<text id=\"matched\" x=\"{0:.0f}\" y=\"54\"></text>\n<text id=\"hint\" x=\"{0:.0f}\" y=\"76\"></text>\n"
        "<g id=\"frames\">\n",
        kWidth - kPad);
  }

  std::string headline() const {
    constexpr double kSpace = 760;  // the rest is the search's
    return clip_text(session_title(context_.reader().session()), kSpace);
  }

  std::string subtitle() const {
    const v1::Session& session = context_.reader().session();
    v1::ViewHeader header = context_.header();
    const Weight& all = nodes_[0].call.total;
    std::string text;
    if (const std::string& python = session.target().interpreter().version(); !python.empty())
      text += "Python " + python + " · ";
    text += amount_text(all.samples, {"samples", false});
    if (all.ns > 0)
      text += fmt::format(" · {} of {}", amount_text(static_cast<uint64_t>(all.ns), {"", true}),
                          header.knows().wall() ? "wall time" : "CPU time");
    text += fmt::format(" in {}", amount_text(static_cast<uint64_t>(header.to_ns() - header.from_ns()), {"", true}));
    if (header.loss().lost()) text += fmt::format(" · {} samples lost", header.loss().lost());
    return text;
  }

  // What the parts of the program cost by themselves, the dearest first.
  void add_legend() {
    struct Part {
      uint64_t cost = 0, most = 0;
      std::string colour;  // of the dearest frame
    };
    std::map<std::string, Part> parts;
    for (uint32_t n = 0; n < nodes_.size(); ++n) {
      if (!is_frame(n)) continue;
      Part& part = parts[module_group(path(n), function(n).kind)];
      uint64_t own = weight_.of(nodes_[n].call.self);
      part.cost += own;
      if (own < part.most || own == 0) continue;
      part.most = own;
      part.colour = module_colour(path(n), function(n).kind);
    }
    std::vector<std::pair<std::string, Part>> sorted(parts.begin(), parts.end());
    std::ranges::stable_sort(sorted, std::greater(), [](const auto& entry) { return entry.second.cost; });
    out_.add("<g id=\"legend\">");
    double x = kPad;
    for (const auto& [name, part] : sorted) {
      if (part.cost == 0) break;
      std::string text = fmt::format("{} {:.1f} %", clip_text(name, 200), 100 * share(part.cost));
      if (x > kWidth - 400 - kCharWidth * static_cast<double>(text.size())) break;
      out_.format(
          "<rect x=\"{:.0f}\" y=\"66\" width=\"12\" height=\"12\" rx=\"2\" fill=\"{}\"/>"
          "<text x=\"{:.0f}\" y=\"76\">{}</text>",
          x, part.colour, x + 17, markup_text(text));
      x += 40 + 6.6 * static_cast<double>(text.size());
    }
    out_.add("</g>\n");
  }

  std::string label(uint32_t n) const {
    if (!is_frame(n)) return node_text(context_.grouping(), {nodes_[n].parent, nodes_[n].folded, nodes_[n].call});
    std::string_view name = symbols_.string(function(n).name);
    if (function(n).kind != v1::FRAME_KIND_PYTHON) return fmt::format("{} ({})", name, base_name(path(n)));
    return fmt::format("{} ({}:{})", name, base_name(path(n)), line(n));
  }

  std::string place_text(uint32_t n) const {
    if (!is_frame(n)) return "";
    if (function(n).kind != v1::FRAME_KIND_PYTHON) return std::string(path(n));
    return fmt::format("{}:{}", path(n), line(n));
  }

  std::string details(uint32_t n) const {
    std::string text = is_frame(n) ? std::string(symbols_.string(function(n).name)) : label(n);
    std::string where = place_text(n);
    uint64_t own = weight_.of(nodes_[n].call.self);
    std::string figures = fmt::format("{}, {:.2f} % of all", amount_text(value(n), weight_), 100 * share(value(n)));
    if (own && !nodes_[n].folded) figures += fmt::format("; itself {}", amount_text(own, weight_));
    return markup_text(text) + (where.empty() ? "" : "\n" + markup_text(where)) + "\n" + markup_text(figures);
  }

  void add_frame(uint32_t n) {
    const Place& place = places_[n];
    double inner = kWidth - 2 * kPad;
    double x = kPad + inner * share(place.begin), width = inner * share(value(n));
    uint32_t y = kTop + place.depth * kRow;
    std::string name = label(n);
    out_.format(
        "<g class=\"f\" data-p=\"{},{},{}\" data-n=\"{}\"><title>{}</title>"
        "<rect x=\"{:.2f}\" y=\"{}\" width=\"{:.2f}\" height=\"{}\" rx=\"2\" fill=\"{}\"/>"
        "<text x=\"{:.2f}\" y=\"{}\">{}</text></g>\n",
        place.begin, value(n), place.depth, markup_text(name), details(n), x, y, std::max(width, 0.1), kRow - 1,
        is_frame(n) ? module_colour(path(n), function(n).kind) : "hsl(220,12%,84%)", x + 3, y + 13,
        markup_text(clip_text(name, width)));
  }

  const PassContext& context_;
  const Symbols& symbols_;
  const ExportWeight& weight_;
  Pieces& out_;
  std::vector<FoldedNode> nodes_;
  std::vector<uint32_t> order_;
  std::vector<Place> places_;
  uint32_t deepest_ = 0;
};

}  // namespace

Status write_flame_graph(const PassContext& context, const ExportWeight& weight, Pieces& out, std::string_view first,
                         std::string_view last) {
  return FlameGraph(context, weight, out).write(first, last);
}

}  // namespace pycroscope

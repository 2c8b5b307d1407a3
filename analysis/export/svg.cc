// A flame graph as one file that a browser opens: root on top, the dearest calls to the left, readable without its
// script. What is too narrow to be seen is folded, with its figures kept.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "analysis/export/export.h"
#include "analysis/export/module_group.h"
#include "analysis/export/svg_assets.h"
#include "analysis/export/weight.h"
#include "analysis/passes/fold.h"
#include "analysis/passes/json.h"

namespace pycroscope {
namespace {

constexpr size_t kChunk = size_t{64} << 10;
// What is narrower is folded: a fraction of a pixel.
constexpr double kMinShare = 0.0005;
constexpr uint32_t kMaxNodes = 20'000;

// Pixels, as flamegraph.js has them.
constexpr double kWidth = 1200, kPad = 10, kCharWidth = 7.23;
constexpr uint32_t kRow = 18, kTop = 92;

// Text as XML 1.0 can hold it: what it forbids even as a reference becomes U+FFFD.
std::string xml_text(std::string_view text) {
  constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  std::string out, valid = valid_utf8(text);
  for (size_t i = 0; i < valid.size(); ++i) {
    char c = valid[i];
    std::string_view rest = std::string_view(valid).substr(i);
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else if (static_cast<uint8_t>(c) < 0x20)
      out += kReplacement;
    else if (rest.starts_with("\xEF\xBF\xBE") || rest.starts_with("\xEF\xBF\xBF"))
      out += kReplacement, i += 2;
    else
      out += c;
  }
  return out;
}

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// The first letters of `text` that fit into `width` pixels.
std::string clip(std::string_view text, double width) {
  constexpr double kMinChars = 3;
  double fit = (width - 6) / kCharWidth;
  if (fit < kMinChars) return "";
  auto letters = static_cast<size_t>(fit);
  std::string valid = valid_utf8(text);
  size_t end = 0, count = 0, cut = 0;
  for (; end < valid.size(); ++count) {
    if (count + 1 == letters) cut = end;
    end += utf8_length(std::string_view(valid).substr(end));
  }
  return count <= letters ? valid : valid.substr(0, cut) + "…";
}

std::string amount_text(uint64_t value, const ExportWeight& weight) {
  if (!weight.time) return fmt::format("{} sample{}", value, value == 1 ? "" : "s");
  auto ns = static_cast<double>(value);
  if (ns >= 1e9) return fmt::format("{:.2f} s", ns / 1e9);
  if (ns >= 1e6) return fmt::format("{:.1f} ms", ns / 1e6);
  return fmt::format("{:.0f} µs", ns / 1e3);
}

class FlameGraph {
 public:
  FlameGraph(const PassContext& context, ExportWeight weight, const ExportOutput& output)
      : context_(context), symbols_(context.symbols()), weight_(weight), output_(output) {
    const v1::TreeOptions& tree = context.request().tree();
    CallTrie trie(symbols_, context.stacks_with_selected(),
                  {.lines = !tree.no_lines(), .by_process = tree.by_process(), .by_thread = tree.by_thread()});
    nodes_ = fold_trie(trie, {.max_nodes = kMaxNodes, .min_share = kMinShare});
    order_ = depth_first(nodes_, dearest_first(symbols_, nodes_));
    place();
  }

  Status write() {
    append_head();
    for (uint32_t n : order_) {
      append_frame(n);
      if (out_.size() < kChunk) continue;
      PYC_CHECK(output_(out_));
      out_.clear();
    }
    fmt::format_to(std::back_inserter(out_), "</g>\n<script><![CDATA[\n{}]]></script>\n</svg>\n", kFlameGraphScript);
    return output_(out_);
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

  void append_head() {
    uint32_t height = kTop + (deepest_ + 1) * kRow + 12;
    fmt::format_to(
        std::back_inserter(out_),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1}\" viewBox=\"0 0 {0:.0f} {1}\" "
        "data-top=\"{2}\" data-height=\"{1}\">\n<style><![CDATA[\n{3}]]></style>\n",
        kWidth, height, kTop, kFlameGraphStyle);
    fmt::format_to(std::back_inserter(out_), "<title>{0}</title>\n<text id=\"title\" x=\"{1}\" y=\"26\">{0}</text>\n",
                   xml_text(headline()), kPad);
    fmt::format_to(std::back_inserter(out_), "<text id=\"subtitle\" x=\"{}\" y=\"47\">{}</text>\n", kPad,
                   xml_text(subtitle()));
    append_legend();
    fmt::format_to(
        std::back_inserter(out_),
        "<text id=\"matched\" x=\"{0:.0f}\" y=\"54\"></text>\n<text id=\"hint\" x=\"{0:.0f}\" y=\"76\"></text>\n"
        "<g id=\"frames\">\n",
        kWidth - kPad);
  }

  std::string headline() const {
    const v1::Session& session = context_.reader().session();
    std::string command;
    for (const std::string& word : session.target().command()) command += (command.empty() ? "" : " ") + word;
    if (command.empty()) command = session.name().empty() ? session.id() : session.name();
    constexpr double kSpace = 760;  // the rest is the search's
    return clip(command, kSpace);
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
  void append_legend() {
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
    out_ += "<g id=\"legend\">";
    double x = kPad;
    for (const auto& [name, part] : sorted) {
      if (part.cost == 0) break;
      std::string text = fmt::format("{} {:.1f} %", clip(name, 200), 100 * share(part.cost));
      if (x > kWidth - 400 - kCharWidth * static_cast<double>(text.size())) break;
      fmt::format_to(std::back_inserter(out_),
                     "<rect x=\"{:.0f}\" y=\"66\" width=\"12\" height=\"12\" rx=\"2\" fill=\"{}\"/>"
                     "<text x=\"{:.0f}\" y=\"76\">{}</text>",
                     x, part.colour, x + 17, xml_text(text));
      x += 40 + 6.6 * static_cast<double>(text.size());
    }
    out_ += "</g>\n";
  }

  std::string label(uint32_t n) const {
    if (!is_frame(n)) return node_text(symbols_, {nodes_[n].parent, nodes_[n].folded, nodes_[n].call});
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
    return xml_text(text) + (where.empty() ? "" : "\n" + xml_text(where)) + "\n" + xml_text(figures);
  }

  void append_frame(uint32_t n) {
    const Place& place = places_[n];
    double inner = kWidth - 2 * kPad;
    double x = kPad + inner * share(place.begin), width = inner * share(value(n));
    uint32_t y = kTop + place.depth * kRow;
    std::string name = label(n);
    fmt::format_to(std::back_inserter(out_),
                   "<g class=\"f\" data-p=\"{},{},{}\" data-n=\"{}\"><title>{}</title>"
                   "<rect x=\"{:.2f}\" y=\"{}\" width=\"{:.2f}\" height=\"{}\" rx=\"2\" fill=\"{}\"/>"
                   "<text x=\"{:.2f}\" y=\"{}\">{}</text></g>\n",
                   place.begin, value(n), place.depth, xml_text(name), details(n), x, y, std::max(width, 0.1), kRow - 1,
                   is_frame(n) ? module_colour(path(n), function(n).kind) : "hsl(220,12%,84%)", x + 3, y + 13,
                   xml_text(clip(name, width)));
  }

  const PassContext& context_;
  const Symbols& symbols_;
  ExportWeight weight_;
  const ExportOutput& output_;
  std::vector<FoldedNode> nodes_;
  std::vector<uint32_t> order_;
  std::vector<Place> places_;
  uint32_t deepest_ = 0;
  std::string out_;
};

}  // namespace

Status export_svg(const ExportInput& input, const ExportOutput& output) {
  v1::ViewRequest request = view_request(input.request);
  PYC_TRY(PassContext context, PassContext::create(input.reader, request));
  PYC_TRY(ExportWeight weight, export_weight(context, input.request.weight(), ""));
  return FlameGraph(context, weight, output).write();
}

}  // namespace pycroscope

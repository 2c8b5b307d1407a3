// One line per distinct stack, for flamegraph.pl and its kin: frames root first with ';' between them, a space, the
// weight. Lines are sorted by their frames and no two have the same ones.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <numeric>
#include <string>
#include <unordered_map>
#include <vector>

#include "analysis/export/export.h"
#include "analysis/export/weight.h"
#include "analysis/passes/call_trie.h"
#include "analysis/passes/fold.h"

namespace pycroscope {
namespace {

constexpr size_t kChunk = size_t{64} << 10;

// Appends `text` so that it holds neither ';' nor control characters. The first " (" ends a function's name, so one
// that stands within the name is hidden.
void append_escaped(std::string& out, std::string_view text, bool function_name = false) {
  for (size_t i = 0; i < text.size(); ++i) {
    auto c = static_cast<uint8_t>(text[i]);
    if (c == '\n')
      out += "\\n";
    else if (c == '\\')
      out += "\\\\";
    else if (c < 0x20 || c == 0x7F || c == ';' || (function_name && text.substr(i).starts_with(" (")))
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", c);
    else
      out += text[i];
  }
}

std::string frame_text(const Symbols& symbols, const CallNode& node) {
  const Function& f = symbols.function(node.function);
  std::string out;
  append_escaped(out, symbols.string(f.name), true);
  out += " (";
  append_escaped(out, symbols.string(symbols.file(f.file).path));
  if (f.kind == v1::FRAME_KIND_PYTHON)
    fmt::format_to(std::back_inserter(out), ":{}", node.line ? node.line : f.first_line);
  return out + ")";
}

std::string text_of(const PassContext& context, const CallNode& node) {
  if (node.kind == NodeKind::kFrame) return frame_text(context.symbols(), node);
  std::string out;
  append_escaped(out, node_text(context.grouping(), {0, 0, node}));
  if (node.kind == NodeKind::kNoPython) out += " (unknown)";
  return out;
}

// The trie with siblings of the same text merged.
class TextTrie {
 public:
  TextTrie(const PassContext& context, const CallTrie& trie) {
    std::unordered_map<std::string, uint32_t> numbers;
    std::vector<uint32_t> merged;
    for (const CallNode& node : trie.nodes()) {
      auto [text, added] = numbers.try_emplace(text_of(context, node), static_cast<uint32_t>(texts_.size()));
      if (added) texts_.push_back(text->first);
      bool root = node.kind == NodeKind::kRoot;
      uint32_t parent = root ? 0 : merged[node.parent];
      uint32_t id = index_({root ? UINT32_MAX : parent, text->second, 0});
      if (id == nodes_.size()) nodes_.push_back({parent, text->second, {}});
      merged.push_back(id);
      nodes_[id].weight += node.self;
    }
  }

  Status write(const ExportWeight& weight, const ExportOutput& output) const;

 private:
  struct Node {
    uint32_t parent, text;
    Weight weight;
  };
  // Siblings in the order of their texts, as lists.
  void link(std::vector<uint32_t>& first, std::vector<uint32_t>& next) const;

  DenseIndex index_;
  std::vector<std::string> texts_;
  std::vector<Node> nodes_;
};

void TextTrie::link(std::vector<uint32_t>& first, std::vector<uint32_t>& next) const {
  std::vector<uint32_t> order(nodes_.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, std::greater(), [&](uint32_t n) -> const std::string& { return texts_[nodes_[n].text]; });
  first.resize(nodes_.size());
  next.resize(nodes_.size());
  for (uint32_t n : order) {
    if (n == 0) continue;
    next[n] = first[nodes_[n].parent];
    first[nodes_[n].parent] = n;
  }
}

Status TextTrie::write(const ExportWeight& weight, const ExportOutput& output) const {
  std::vector<uint32_t> first, next;
  link(first, next);
  // Nodes still to be written, and how long the line of their parent is.
  std::vector<std::pair<uint32_t, size_t>> open = {{first[0], 0}};
  std::string line, out;
  while (!open.empty()) {
    auto [n, prefix] = open.back();
    open.pop_back();
    if (n == 0) continue;
    line.resize(prefix);
    if (prefix) line += ';';
    line += texts_[nodes_[n].text];
    if (uint64_t value = weight.of(nodes_[n].weight)) fmt::format_to(std::back_inserter(out), "{} {}\n", line, value);
    if (out.size() >= kChunk) {
      PYC_CHECK(output(out));
      out.clear();
    }
    open.emplace_back(next[n], prefix);
    open.emplace_back(first[n], line.size());
  }
  return output(out);
}

}  // namespace

Status export_collapsed(const ExportInput& input, const ExportOutput& output) {
  v1::ViewRequest request = view_request(input.request);
  PYC_TRY(PassContext context, PassContext::create(input.reader, request));
  PYC_TRY(ExportWeight weight, export_weight(context, input.request.weight(), "samples"));
  CallTrie trie(context.symbols(), context.grouping(), context.stacks_with_selected(), !request.tree().no_lines());
  return TextTrie(context, trie).write(weight, output);
}

}  // namespace pycroscope

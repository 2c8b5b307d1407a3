#include "analysis/passes/grouping.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ranges>
#include <set>

namespace pycroscope {
namespace {

constexpr std::string_view kNotGrouped = "none";

bool is_label(std::string_view key) { return key != kByProcess && key != kByThread; }

std::set<std::string_view> known_keys(const Symbols& symbols) {
  std::set<std::string_view> keys = {kByProcess, kByThread, kByTask};
  for (uint32_t i = 0; i < symbols.mark().label_sets; ++i)
    for (const Label& label : symbols.labels(LabelSetId{i})) keys.insert(symbols.string(label.key));
  return keys;
}

}  // namespace

Result<Grouping> Grouping::create(const Symbols& symbols, std::vector<std::string> keys, Processes processes) {
  if (keys == std::vector<std::string>{std::string(kNotGrouped)}) keys.clear();
  const std::set<std::string_view> known = known_keys(symbols);
  for (auto key = keys.begin(); key != keys.end(); ++key) {
    if (!known.contains(*key))
      return fail(ErrorCode::kInvalid, fmt::format("no sample of this session has a label \"{}\"; group by some of: {}",
                                                   *key, fmt::join(known, ", ")));
    if (std::find(keys.begin(), key, *key) != key)
      return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is given twice as what to group by; give it once", *key));
  }
  return Grouping(symbols, std::move(keys), processes);
}

bool Grouping::by(std::string_view key) const { return std::ranges::find(keys_, key) != keys_.end(); }

bool Grouping::by_label() const { return std::ranges::any_of(keys_, is_label); }

uint32_t Grouping::add(ThreadId thread, LabelSetId labels) {
  if (keys_.empty()) return 0;
  uint32_t member = members_({index(thread), index(labels), 0});
  if (member < group_of_.size()) return group_of_[member];
  uint32_t group = 0;
  for (uint32_t level = 0; level < keys_.size(); ++level) group = child(group, level, thread, labels);
  group_of_.push_back(group);
  return group;
}

uint32_t Grouping::of(ThreadId thread, LabelSetId labels) const {
  if (keys_.empty()) return 0;
  return group_of_[*members_.find({index(thread), index(labels), 0})];
}

uint32_t Grouping::member(uint32_t parent, uint32_t what, bool has_value, const std::function<void(Group&)>& describe) {
  const uint32_t id = 1 + children_({parent, what, has_value ? 1u : 0u});
  if (id < groups_.size()) return id;
  Group group = groups_[parent];
  group.parent = parent;
  describe(group);
  groups_.push_back(std::move(group));
  return id;
}

uint32_t Grouping::process_group(uint32_t parent, ProcessId process) {
  std::vector<ProcessId> line = {process};
  // A process is known before those that it starts: whatever a damaged store says, this ends.
  for (uint32_t by = symbols_->process(process).parent;
       processes_ == Processes::kNested && by != 0 && by - 1 < index(line.back());
       by = symbols_->process(line.back()).parent)
    line.push_back(ProcessId{by - 1});
  for (const ProcessId each : std::views::reverse(line)) {
    parent = member(parent, index(each), false, [&](Group& group) {
      group.process = index(each) + 1;
      group.text = process_text(*symbols_, each);
    });
  }
  return parent;
}

uint32_t Grouping::child(uint32_t parent, uint32_t level, ThreadId thread, LabelSetId labels) {
  const std::string& key = keys_[level];
  if (key == kByProcess) return process_group(parent, symbols_->thread(thread).process);
  if (key == kByThread) {
    return member(parent, index(thread), false, [&](Group& group) {
      group.thread = index(thread) + 1;
      group.text = thread_text(*symbols_, thread);
    });
  }
  // An empty value is not the same as none.
  const Label* label = find_label(*symbols_, labels, key);
  return member(parent, label ? index(label->value) : 0, label != nullptr, [&](Group& group) {
    if (label) group.labels.push_back(*label);
    group.text = label ? fmt::format("{}={}", key, symbols_->string(label->value)) : fmt::format("[no {}]", key);
  });
}

std::vector<uint32_t> Grouping::path(uint32_t group) const {
  std::vector<uint32_t> path;
  for (uint32_t g = group; g != 0; g = groups_[g].parent) path.push_back(g);
  std::ranges::reverse(path);
  return path;
}

const Label* find_label(const Symbols& symbols, LabelSetId labels, std::string_view key) {
  std::span<const Label> all = symbols.labels(labels);
  auto it = std::ranges::find(all, key, [&](const Label& label) { return symbols.string(label.key); });
  return it == all.end() ? nullptr : &*it;
}

std::string process_text(const Symbols& symbols, ProcessId id) {
  const TracedProcess& process = symbols.process(id);
  return fmt::format("process {}: {}", process.pid, symbols.string(process.command));
}

std::string thread_text(const Symbols& symbols, ThreadId id) {
  const Thread& thread = symbols.thread(id);
  std::string_view name = symbols.string(thread.name);
  return name.empty() ? fmt::format("thread {}", thread.tid) : std::string(name);
}

}  // namespace pycroscope

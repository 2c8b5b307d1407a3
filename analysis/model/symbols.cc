#include "analysis/model/symbols.h"

#include <algorithm>
#include <cstring>
#include <memory>

namespace pycroscope {
namespace {

constexpr size_t kArenaBlock = size_t{64} << 10;

constexpr uint64_t mix(uint64_t h, uint64_t v) {
  h = (h ^ v) * 0x9E3779B97F4A7C15u;
  return h ^ (h >> 29);
}

constexpr uint64_t pair_key(uint32_t high, uint32_t low) { return (uint64_t{high} << 32) | low; }

uint64_t hash_of(const Location& l) {
  return mix(pair_key(index(l.function), l.line), static_cast<uint32_t>(l.offset));
}

// Finds `value` among the ids of `hash` in `ids`, or appends it to `table`.
template <class T>
uint32_t intern(std::vector<T>& table, std::unordered_multimap<uint64_t, uint32_t>& ids, uint64_t hash, T value) {
  auto [first, last] = ids.equal_range(hash);
  for (auto it = first; it != last; ++it)
    if (table[it->second] == value) return it->second;
  auto id = static_cast<uint32_t>(table.size());
  table.push_back(std::move(value));
  ids.emplace(hash, id);
  return id;
}

}  // namespace

Symbols::Symbols() {
  intern_string("");
  stacks_.push_back({});
  intern_labels({});
}

std::string_view Symbols::store_text(std::string_view text) {
  if (arena_size_ - arena_used_ < text.size() || arena_.empty()) {
    arena_size_ = std::max(kArenaBlock, text.size());
    arena_.push_back(std::make_unique_for_overwrite<char[]>(arena_size_));
    arena_used_ = 0;
  }
  char* place = arena_.back().get() + arena_used_;
  std::ranges::copy(text, place);
  arena_used_ += text.size();
  return {place, text.size()};
}

StringId Symbols::intern_string(std::string_view text) {
  if (auto it = string_ids_.find(text); it != string_ids_.end()) return it->second;
  StringId id{static_cast<uint32_t>(strings_.size())};
  strings_.push_back(store_text(text));
  string_ids_.emplace(strings_.back(), id);
  return id;
}

FileId Symbols::intern_file(StringId path) {
  auto [it, added] = file_ids_.try_emplace(index(path), FileId{static_cast<uint32_t>(files_.size())});
  if (added) files_.push_back({path});
  return it->second;
}

FunctionId Symbols::intern_function(const Function& f) {
  uint64_t hash = mix(mix(pair_key(index(f.name), index(f.file)), f.first_line), static_cast<uint64_t>(f.kind));
  return FunctionId{intern(functions_, function_ids_, hash, f)};
}

LocationId Symbols::intern_location(const Location& l) {
  return LocationId{intern(locations_, location_ids_, hash_of(l), l)};
}

std::optional<LocationId> Symbols::find_location(const Location& l) const {
  auto [first, last] = location_ids_.equal_range(hash_of(l));
  for (auto it = first; it != last; ++it)
    if (locations_[it->second] == l) return LocationId{it->second};
  return std::nullopt;
}

std::optional<StackId> Symbols::find_stack(StackId parent, LocationId location) const {
  const auto it = stack_ids_.find(pair_key(index(parent), index(location)));
  return it == stack_ids_.end() ? std::nullopt : std::optional(it->second);
}

StackId Symbols::intern_stack(StackId parent, LocationId location) {
  auto [it, added] =
      stack_ids_.try_emplace(pair_key(index(parent), index(location)), StackId{static_cast<uint32_t>(stacks_.size())});
  if (added) stacks_.push_back({parent, location});
  return it->second;
}

ProcessId Symbols::intern_process(const TracedProcess& p) {
  auto [it, added] = process_ids_.try_emplace(pair_key(static_cast<uint32_t>(p.pid), index(p.command)),
                                              ProcessId{static_cast<uint32_t>(processes_.size())});
  if (added) processes_.push_back(p);
  return it->second;
}

ThreadId Symbols::add_thread(ProcessId process, int32_t tid, StringId name) {
  threads_.push_back({process, tid, name});
  return ThreadId{static_cast<uint32_t>(threads_.size() - 1)};
}

void Symbols::rename_thread(ThreadId thread, StringId name) {
  if (threads_[index(thread)].name == name) return;
  threads_[index(thread)].name = name;
  ++thread_name_changes_;
}

LabelSetId Symbols::intern_labels(std::span<const Label> labels) {
  uint64_t hash = 0;
  for (const Label& label : labels) hash = mix(hash, pair_key(index(label.key), index(label.value)));
  return LabelSetId{intern(label_sets_, label_set_ids_, hash, std::vector<Label>(labels.begin(), labels.end()))};
}

void Symbols::set_opcode(LocationId location, StringId name) {
  if (opcode_names_.try_emplace(index(location), name).second) opcodes_.push_back({location, name});
}

StringId Symbols::opcode(LocationId id) const {
  const auto known = opcode_names_.find(index(id));
  return known == opcode_names_.end() ? StringId{} : known->second;
}

Symbols::Mark Symbols::mark() const {
  auto size = [](const auto& table) { return static_cast<uint32_t>(table.size()); };
  return {size(strings_), size(files_),     size(functions_), size(locations_),
          size(stacks_),  size(processes_), size(threads_),   size(label_sets_)};
}

}  // namespace pycroscope

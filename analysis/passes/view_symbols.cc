#include "analysis/passes/view_symbols.h"

#include <ranges>
#include <vector>

#include "analysis/passes/json.h"

namespace pycroscope {
namespace {

// The number of `key`, which is the table's next one when the key is new: then `add` must append to the table.
template <class Map, class Key, class Add>
uint32_t number(Map& map, Key&& key, int size, Add add) {
  auto [it, added] = map.try_emplace(std::forward<Key>(key), static_cast<uint32_t>(size));
  uint32_t id = it->second;
  if (added) add();
  return id;
}

}  // namespace

ViewSymbols::ViewSymbols(const EventReader& reader, v1::SymbolTable& table)
    : reader_(reader), symbols_(reader.symbols()), table_(table) {
  text("");
}

// Protobuf refuses to read strings that are not valid UTF-8, and file names in Python may be anything.
uint32_t ViewSymbols::text(std::string_view text) {
  std::string clean = valid_utf8(text);
  return number(texts_, clean, table_.strings_size(), [&] { table_.add_strings(clean); });
}

uint32_t ViewSymbols::file(FileId id) {
  v1::Files& files = *table_.mutable_files();
  return number(files_, index(id), files.path_size(), [&] {
    files.add_path(text(symbols_.string(symbols_.file(id).path)));
    files.add_content_hash(reader_.source_hash(id));
  });
}

uint32_t ViewSymbols::function(FunctionId id) {
  v1::Functions& functions = *table_.mutable_functions();
  return number(functions_, index(id), functions.name_size(), [&] {
    const Function& f = symbols_.function(id);
    functions.add_name(text(symbols_.string(f.name)));
    functions.add_file(file(f.file));
    functions.add_first_line(f.first_line);
    functions.add_kind(f.kind);
  });
}

uint32_t ViewSymbols::frame(FunctionId function_id, uint32_t line) {
  v1::Frames& frames = *table_.mutable_frames();
  uint32_t f = function(function_id);
  return number(frames_, (uint64_t{f} << 32) | line, frames.function_size(), [&] {
    frames.add_function(f);
    frames.add_line(line);
    frames.add_offset(-1);
  });
}

// With its ancestors, which come first; without recursion, since a chain of them may be long.
uint32_t ViewSymbols::process(ProcessId id) {
  std::vector<ProcessId> line{id};
  while (!processes_.contains(index(line.back())) && symbols_.process(line.back()).parent != 0)
    line.push_back(ProcessId{symbols_.process(line.back()).parent - 1});
  v1::Processes& processes = *table_.mutable_processes();
  uint32_t parent = 0;
  for (const ProcessId next : line | std::views::reverse) {
    const TracedProcess& process = symbols_.process(next);
    const uint32_t own = number(processes_, index(next), processes.pid_size(), [&] {
      processes.add_pid(process.pid);
      processes.add_command(text(symbols_.string(process.command)));
      processes.add_parent(parent);
    });
    parent = own + 1;
  }
  return parent - 1;
}

uint32_t ViewSymbols::thread(ThreadId id) {
  v1::Threads& threads = *table_.mutable_threads();
  const Thread& thread = symbols_.thread(id);
  return number(threads_, index(id), threads.tid_size(), [&] {
    threads.add_process(process(thread.process));
    threads.add_tid(thread.tid);
    threads.add_name(text(symbols_.string(thread.name)));
  });
}

// Set 0 is empty, whether or not it is used.
uint32_t ViewSymbols::labels(std::span<const Label> labels) {
  v1::LabelSets& sets = *table_.mutable_label_sets();
  auto add = [&](std::span<const Label> set) {
    std::vector<std::pair<uint32_t, uint32_t>> texts;
    for (const Label& label : set)
      texts.emplace_back(text(symbols_.string(label.key)), text(symbols_.string(label.value)));
    return number(label_sets_, texts, sets.sets_size(), [&] {
      v1::LabelSet& added = *sets.add_sets();
      for (const auto& [key, value] : texts) {
        added.add_key(key);
        added.add_value(value);
      }
    });
  };
  add({});
  return add(labels);
}

}  // namespace pycroscope

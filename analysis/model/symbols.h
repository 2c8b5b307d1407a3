// What events refer to, each thing once: strings, files, functions, locations, stacks, threads, processes, label
// sets. Interning is append-only, so a store can persist "everything since last time". Ids are dense and start at 0;
// string 0 is "", stack 0 is the empty stack, label set 0 is the empty set.
//
// Not thread-safe: one owner thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pycroscope/v1/symbols.pb.h"

namespace pycroscope {

enum class StringId : uint32_t {};
enum class FileId : uint32_t {};
enum class FunctionId : uint32_t {};
enum class LocationId : uint32_t {};
enum class StackId : uint32_t {};
enum class ThreadId : uint32_t {};  // index of a thread of the session, not a tid
enum class ProcessId : uint32_t {};
enum class LabelSetId : uint32_t {};

template <class Id>
constexpr uint32_t index(Id id) {
  return static_cast<uint32_t>(id);
}

struct File {
  StringId path{};
  bool operator==(const File&) const = default;
};

struct Function {
  StringId name{};
  FileId file{};
  uint32_t first_line = 0;  // 0: unknown
  v1::FrameKind kind = v1::FRAME_KIND_PYTHON;
  bool operator==(const Function&) const = default;
};

struct Location {
  FunctionId function{};
  uint32_t line = 0;    // 0: the instruction has no line
  int32_t offset = -1;  // bytecode offset in bytes, -1: unknown
  bool operator==(const Location&) const = default;
};

// A stack is its caller's stack plus one location; the leaf-most location stands last.
struct Stack {
  StackId parent{};
  LocationId location{};
  bool operator==(const Stack&) const = default;
};

struct TracedProcess {
  int32_t pid = 0;
  StringId command{};   // arguments joined by spaces
  uint32_t parent = 0;  // of the session's processes: index + 1, 0 none
  bool operator==(const TracedProcess&) const = default;
};

struct Thread {
  ProcessId process{};
  int32_t tid = 0;
  StringId name{};  // changes with rename_thread
};

struct Label {
  StringId key{};
  StringId value{};
  bool operator==(const Label&) const = default;
};

struct Opcode {
  LocationId location{};
  StringId name{};
};

class Symbols {
 public:
  Symbols();

  StringId intern_string(std::string_view text);
  FileId intern_file(StringId path);
  FunctionId intern_function(const Function& function);
  LocationId intern_location(const Location& location);
  StackId intern_stack(StackId parent, LocationId location);
  // Those that are there already.
  std::optional<LocationId> find_location(const Location& location) const;
  std::optional<StackId> find_stack(StackId parent, LocationId location) const;
  // A process that executes another program is another one from then on.
  ProcessId intern_process(const TracedProcess& process);
  // A thread is (process, tid, incarnation): a new id each time it is called.
  ThreadId add_thread(ProcessId process, int32_t tid, StringId name);
  void rename_thread(ThreadId thread, StringId name);
  LabelSetId intern_labels(std::span<const Label> labels);  // sorted by key by the caller
  // What the instruction at a location does; once for each.
  void set_opcode(LocationId location, StringId name);

  std::string_view string(StringId id) const { return strings_[index(id)]; }
  const File& file(FileId id) const { return files_[index(id)]; }
  const Function& function(FunctionId id) const { return functions_[index(id)]; }
  const Location& location(LocationId id) const { return locations_[index(id)]; }
  const Stack& stack(StackId id) const { return stacks_[index(id)]; }
  const TracedProcess& process(ProcessId id) const { return processes_[index(id)]; }
  const Thread& thread(ThreadId id) const { return threads_[index(id)]; }
  std::span<const Label> labels(LabelSetId id) const { return label_sets_[index(id)]; }
  // Empty where it is not known.
  StringId opcode(LocationId id) const;
  // All that are known, in the order in which they became so.
  std::span<const Opcode> opcodes() const { return opcodes_; }

  // Sizes of all tables at one moment; everything at or above a mark is newer than it.
  struct Mark {
    uint32_t strings = 0, files = 0, functions = 0, locations = 0, stacks = 0, processes = 0, threads = 0,
             label_sets = 0;
    bool operator==(const Mark&) const = default;
  };
  Mark mark() const;
  // Increases with each rename_thread; names of threads are not covered by marks.
  uint64_t thread_name_changes() const { return thread_name_changes_; }

 private:
  std::vector<std::string_view> strings_;  // point into arena_
  std::vector<File> files_;
  std::vector<Function> functions_;
  std::vector<Location> locations_;
  std::vector<Stack> stacks_;
  std::vector<TracedProcess> processes_;
  std::vector<Thread> threads_;
  std::vector<std::vector<Label>> label_sets_;
  std::vector<Opcode> opcodes_;
  uint64_t thread_name_changes_ = 0;

  std::vector<std::unique_ptr<char[]>> arena_;
  size_t arena_used_ = 0, arena_size_ = 0;
  std::unordered_map<std::string_view, StringId> string_ids_;
  std::unordered_map<uint32_t, FileId> file_ids_;
  std::unordered_multimap<uint64_t, uint32_t> function_ids_, location_ids_;
  std::unordered_map<uint64_t, StackId> stack_ids_;
  std::unordered_map<uint64_t, ProcessId> process_ids_;
  std::unordered_multimap<uint64_t, uint32_t> label_set_ids_;
  std::unordered_map<uint32_t, StringId> opcode_names_;  // by LocationId

  std::string_view store_text(std::string_view text);
};

}  // namespace pycroscope

// Trace events added up: all that views need of a stretch of time, as figures by thread, label set, stack and type.
// What is added up of two successive stretches can be put together, so that a few of them answer for any range.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "analysis/model/dense_index.h"
#include "analysis/model/trace_event.h"

namespace pycroscope {

// Of a stack: what its leaf did.
struct StackFigures {
  uint64_t calls = 0;         // entries
  uint64_t hits = 0;          // of the line
  uint64_t instructions = 0;  // executed, of the leaf's offset
  int64_t ns = 0;             // elapsed with this stack

  StackFigures& operator+=(const StackFigures& other);
  bool operator==(const StackFigures&) const = default;
};

// Of what was allocated with a stack, as a type. Frees are counted where the memory was allocated.
struct AllocationFigures {
  uint64_t allocations = 0, bytes = 0;
  uint64_t frees = 0, freed_bytes = 0;
  uint64_t temporary = 0;  // freed before the same thread's next allocation
  int64_t peak_bytes = 0;  // more of it live than at the start, when its process had its peak

  int64_t live_bytes() const { return static_cast<int64_t>(bytes - freed_bytes); }
  AllocationFigures& operator+=(const AllocationFigures& other);
  bool operator==(const AllocationFigures&) const = default;
};

// Numbers of lifetimes by their size: places of 3 significant bits.
using Lifetimes = std::map<uint16_t, uint64_t>;
uint16_t lifetime_place(uint64_t ns);
// The longest one that belongs to a place.
uint64_t longest_of_place(uint16_t place);

struct ObjectFigures {
  uint64_t count = 0, bytes = 0;
  uint64_t ended = 0, ended_bytes = 0;
  uint64_t refcount_max = 0;  // of those that have ended
  Lifetimes lifetimes;        // of those that have ended

  ObjectFigures& operator+=(const ObjectFigures& other);
  bool operator==(const ObjectFigures&) const = default;
};

struct ExceptionFigures {
  uint64_t raised = 0, unwound = 0;
  int64_t cost_ns = 0;

  ExceptionFigures& operator+=(const ExceptionFigures& other);
  bool operator==(const ExceptionFigures&) const = default;
};

// Of a process: how its live bytes moved.
struct ProcessMemory {
  int64_t live_bytes = 0;  // at the end, more than at the start
  int64_t peak_bytes = 0;  // at most, more than at the start; at least 0
  bool operator==(const ProcessMemory&) const = default;
};

// Live bytes at the end of a slot of time in which they changed.
struct MemoryPoint {
  ProcessId process{};
  int64_t slot = 0;        // time_ns >> Tally::slot_shift()
  int64_t live_bytes = 0;  // more than at the start
  bool operator==(const MemoryPoint&) const = default;
};

// An event that is kept as it is: of those that are few.
struct KeptEvent {
  ThreadId thread{};
  LabelSetId labels{};
  StackId stack{};
  TraceEvent event;
  bool operator==(const KeptEvent&) const = default;
};

// Rows of figures by key, in the order of their first appearance.
template <class Figures>
class FigureTable {
 public:
  // The key's row, a new one for a new key.
  uint32_t number(const DenseIndex::Key& key) {
    const uint32_t number = index_(key);
    if (number == figures_.size()) figures_.emplace_back();
    return number;
  }
  Figures& operator[](const DenseIndex::Key& key) { return figures_[number(key)]; }
  uint32_t size() const { return index_.size(); }
  const DenseIndex::Key& key(uint32_t number) const { return index_.keys()[number]; }
  Figures& at(uint32_t number) { return figures_[number]; }
  const Figures& at(uint32_t number) const { return figures_[number]; }

 private:
  DenseIndex index_;
  std::vector<Figures> figures_;
};

// Who did something: contexts number the pairs that occur.
struct TallyContext {
  ThreadId thread{};
  LabelSetId labels{};
  ProcessId process{};
};

class Tally {
 public:
  static constexpr unsigned kFinestShift = 20;  // about 1 ms
  // Of the slots of the buckets of a level: the larger the bucket, the longer.
  static constexpr unsigned slot_shift_of_level(uint32_t level) { return kFinestShift + 4 * level; }

  // How long the slots of memory() are: 2^slot_shift ns.
  explicit Tally(unsigned slot_shift = kFinestShift) : slot_shift_(slot_shift) {}

  uint32_t context(ThreadId thread, LabelSetId labels, ProcessId process);
  uint32_t stack_row(uint32_t context, StackId stack) { return stacks_.number({context, index(stack), 0}); }
  StackFigures& stack_at(uint32_t row) { return stacks_.at(row); }
  // In the order of time.
  void allocate(uint32_t context, StackId stack, StringId type, uint64_t bytes, int64_t time_ns);
  void free(uint32_t context, StackId stack, StringId type, uint64_t bytes, bool temporary, int64_t time_ns);
  ObjectFigures& object(uint32_t context, StackId stack, StringId type) {
    return objects_[{context, index(stack), index(type)}];
  }
  ExceptionFigures& exception(uint32_t context, StringId type, StackId raised, uint32_t caught_plus_1);
  void keep(const KeptEvent& event) { kept_.push_back(event); }
  void count(TraceType type) { ++events_[static_cast<size_t>(type)]; }

  // Adds what came right after this.
  void append(const Tally& later);

  std::span<const TallyContext> contexts() const { return contexts_; }
  // Keys: context, stack, 0.
  const FigureTable<StackFigures>& stacks() const { return stacks_; }
  // Keys: context, stack, type. Their peak_bytes are right after settle().
  const FigureTable<AllocationFigures>& allocations() const { return allocations_; }
  const FigureTable<ObjectFigures>& objects() const { return objects_; }
  // Keys: context, exception_site(). Sites: type, stack where raised, location where caught + 1.
  const FigureTable<ExceptionFigures>& exceptions() const { return exceptions_; }
  const DenseIndex& exception_sites() const { return exception_sites_; }
  const std::vector<ProcessMemory>& processes() const { return processes_; }  // by ProcessId
  const std::vector<MemoryPoint>& memory() const { return memory_; }          // of each process in order of time
  const std::vector<KeptEvent>& kept() const { return kept_; }
  const std::array<uint64_t, kTraceTypes>& events() const { return events_; }
  unsigned slot_shift() const { return slot_shift_; }

  // For decoders: what a tally is made of.
  void restore_allocation(const DenseIndex::Key& key, const AllocationFigures& figures);
  void restore_process(ProcessId process, const ProcessMemory& memory);
  void restore_memory(const MemoryPoint& point) { memory_.push_back(point); }
  void restore_events(TraceType type, uint64_t count) { events_[static_cast<size_t>(type)] = count; }

  // Makes all peak_bytes right; cheap where they are.
  void settle();

 private:
  void before_change(AllocationFigures& figures, uint32_t row, ProcessId process);
  void change(ProcessId process, int64_t bytes, int64_t time_ns);
  ProcessMemory& process(ProcessId id);
  void merge_allocations(const Tally& later, const std::vector<uint32_t>& contexts);

  unsigned slot_shift_;
  DenseIndex context_index_;
  std::vector<TallyContext> contexts_;
  FigureTable<StackFigures> stacks_;
  FigureTable<AllocationFigures> allocations_;
  std::vector<uint32_t> row_peaks_;  // by row of allocations_: up to which peak of its process its peak_bytes are right
  std::vector<ProcessMemory> processes_;
  std::vector<uint32_t> peaks_;  // by process: how often it had a new peak
  std::vector<MemoryPoint> memory_;
  FigureTable<ObjectFigures> objects_;
  DenseIndex exception_sites_;
  FigureTable<ExceptionFigures> exceptions_;
  std::vector<KeptEvent> kept_;
  std::array<uint64_t, kTraceTypes> events_{};
};

}  // namespace pycroscope

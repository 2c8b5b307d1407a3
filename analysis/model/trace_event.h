// Events of complete tracing: what a thread did, one event after the other. Billions of them make a session, so they
// are columns, and what can be told from those before is not in them: the stack of an event is that of the run it is
// in, changed by the events between.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "analysis/model/symbols.h"

namespace pycroscope {

// Stored: DO NOT CHANGE a number. What `id` and the arguments are stands behind each; kTraceShapes below has the same
// for code.
enum class TraceType : uint8_t {
  kCall = 0,         // FunctionId: a Python function begins
  kReturn = 1,       // FunctionId: it ends
  kResume = 2,       // FunctionId: a generator or coroutine goes on
  kYield = 3,        // FunctionId: it is suspended
  kThrow = 4,        // FunctionId: it goes on with an exception thrown into it
  kUnwind = 5,       // FunctionId: a function is left by an exception
  kCCall = 6,        // FunctionId: a C function begins
  kCReturn = 7,      // FunctionId: it ends, also by an exception
  kLine = 8,         // LocationId, offset -1: a line begins
  kInstruction = 9,  // LocationId: a bytecode instruction begins
  kAllocation = 10,  // StringId of the type, 0 unknown; address, bytes
  kFree = 11,        // StringId of the type; address, bytes, stack, thread and label set of the allocation, temporary
  kObject = 12,      // StringId of the type; address, bytes: an object comes to life
  // StringId of the type; address, bytes, stack, thread, label set of its birth, lifetime ns, refcount
  kObjectEnd = 13,
  kGc = 14,         // generation; duration ns, collected, uncollectable: a collection ends
  kImport = 15,     // StringId of the module; duration ns, own ns, parent StringId, FileId + 1: an import ends
  kException = 16,  // StringId of the type; stack where raised, location where caught + 1, unwound frames, cost ns
  kSpan = 17,       // StringId of its name; duration ns, category StringId: something of the user's ends
  kCounter = 18,    // StringId of its name; value as two's complement
  kHeap = 19,       // StringId of the type; objects, bytes, largest length, referrer StringId: a row of a heap snapshot
  kLabels = 20,     // LabelSetId: the thread's labels from here on
  kLocal = 21,      // StringId of the name; StringId of the text: a local variable as the event before saw it
  kThreadStart = 22,  // 0
  kThreadEnd = 23,    // 0: whatever it has on its stack ends with it
  kLoss = 24,         // LossReason; count
};
inline constexpr size_t kTraceTypes = 25;
inline constexpr size_t kMaxTraceArguments = 7;
// Of a free, instead of whether the memory was temporary: it was allocated before the recording began. Likewise instead
// of an object's lifetime. Nothing is added up of those.
inline constexpr uint64_t kUnknownBlock = 2;
inline constexpr uint64_t kUnknownLifetime = UINT64_MAX;

// What `id` or an argument refers to, so that all that a stored event names can be checked.
enum class TraceRef : uint8_t {
  kNumber,
  kFunction,
  kLocation,
  kString,
  kStack,
  kThread,
  kLabels,
  kFileOrNone,
  kLocationOrNone
};

struct TraceShape {
  std::string_view name;  // as in the API and in exported JSON
  TraceRef id;
  uint8_t argument_count;
  std::array<TraceRef, kMaxTraceArguments> arguments;
  std::array<std::string_view, kMaxTraceArguments> argument_names;
};
const TraceShape& trace_shape(TraceType type);

constexpr bool is_entry(TraceType t) {
  return t == TraceType::kCall || t == TraceType::kResume || t == TraceType::kThrow || t == TraceType::kCCall;
}
constexpr bool is_exit(TraceType t) {
  return t == TraceType::kReturn || t == TraceType::kYield || t == TraceType::kUnwind || t == TraceType::kCReturn;
}

// One event on its own: for producers and printers.
struct TraceEvent {
  int64_t time_ns = 0;  // since the session's start; of what has a duration, its end
  TraceType type{};
  uint32_t id = 0;
  std::array<uint64_t, kMaxTraceArguments> arguments{};
  bool operator==(const TraceEvent&) const = default;
};

// Successive events of one thread.
struct TraceRun {
  ThreadId thread{};
  StackId stack{};      // before the first of them
  LabelSetId labels{};  // likewise
  uint32_t count = 0;
  bool operator==(const TraceRun&) const = default;
};

// Events as columns, run after run. Times of one thread ascend from run to run and within.
struct TraceColumns {
  std::vector<TraceRun> runs;
  std::vector<TraceType> type;
  std::vector<uint32_t> id;
  std::vector<int64_t> time_ns;
  std::vector<uint64_t> arguments;  // of all events in turn, as many as the event's shape has

  size_t size() const { return type.size(); }
  // Appends to the last run, of which there must be one.
  void push_back(const TraceEvent& event);
  void append(const TraceColumns& later);
  void clear();
  bool operator==(const TraceColumns&) const = default;
};

// Whether all that they refer to exists.
bool are_known(const TraceColumns& events, const Symbols::Mark& known);

// What stands in a block without reading it.
struct TraceSummary {
  uint32_t count = 0;
  int64_t min_ns = 0, max_ns = 0;
  bool operator==(const TraceSummary&) const = default;
};
TraceSummary summarize(const TraceColumns& events);

// Whether an event of this type changes which function runs or where in it.
constexpr bool moves(TraceType t) { return t <= TraceType::kInstruction; }

// Where the step of an event that moves and is no exit leads from `stack`: to this location called from that stack.
struct StackStep {
  StackId parent{};
  Location location;
};
inline StackStep step_from(const Symbols& symbols, StackId stack, TraceType type, uint32_t id) {
  if (is_entry(type)) {
    const FunctionId function{id};
    return {stack, {function, symbols.function(function).first_line, -1}};
  }
  return {symbols.stack(stack).parent, symbols.location(LocationId{id})};
}

// Steps from stack to stack that were taken before: so that a step costs some nanoseconds however many stacks there
// are.
class StackSteps {
 public:
  StackSteps() : steps_(kSlots) {}

  // The stack after an event that moves. An exit from the empty stack stays there. `find(step)`, for a step that is not
  // at hand, gives its StackId.
  template <class Find>
  StackId operator()(const Symbols& symbols, StackId stack, TraceType type, uint32_t id, Find find) {
    if (is_exit(type)) return symbols.stack(stack).parent;
    Step& step = slot(stack, type, id);
    if (!step.known || step.from != stack || step.type != type || step.id != id)
      step = {stack, id, find(step_from(symbols, stack, type, id)), type, true};
    return step.to;
  }

 private:
  static constexpr size_t kSlots = size_t{1} << 15;
  struct Step {
    StackId from{};
    uint32_t id = 0;
    StackId to{};
    TraceType type{};
    bool known = false;
  };
  Step& slot(StackId stack, TraceType type, uint32_t id) {
    const uint64_t key =
        ((uint64_t{index(stack)} << 32 | id) ^ static_cast<uint64_t>(type) << 27) * 0x9E3779B97F4A7C15u;
    return steps_[key >> 40 & (kSlots - 1)];
  }

  std::vector<Step> steps_;
};

}  // namespace pycroscope

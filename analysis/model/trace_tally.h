// Adds up trace events: while they are recorded and when a part of them is read again, by the same code.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <vector>

#include "analysis/model/tally.h"
#include "analysis/model/trace_event.h"

namespace pycroscope {

// Where a thread is between two events.
struct ThreadState {
  ThreadId thread{};
  StackId stack{};
  LabelSetId labels{};
  bool operator==(const ThreadState&) const = default;
};

// What the events of a stretch of time add up to, and where the threads are at its end that are there.
struct TallyBucket {
  int64_t from_ns = 0, to_ns = 0;
  Tally tally;
  std::vector<ThreadState> states;
};

// The StackId of a step that is not known yet; nothing: there is none, and the events make no sense.
using FindStack = std::function<std::optional<StackId>(const StackStep&)>;

// Follows threads through slices of a session: events of all threads, none of which is older than any of a slice
// before. One owner thread.
class TraceTallier {
 public:
  // `symbols` outlives it and has, whenever add() is called, all that the events refer to.
  TraceTallier(const Symbols& symbols, FindStack find) : symbols_(symbols), find_(std::move(find)) {}

  // From here on time counts: threads are where `states` says. What was known before is forgotten.
  void start(std::span<const ThreadState> states, int64_t time_ns);
  // Follows the events of a slice that are before `to_ns`. Adds those from `from_ns` on to `tally`, and the time that
  // passes from then on. Stops at the first event that makes no sense: false.
  bool add(const TraceColumns& slice, Tally& tally, int64_t from_ns = std::numeric_limits<int64_t>::min(),
           int64_t to_ns = std::numeric_limits<int64_t>::max());
  // Adds the time up to `time_ns` of all threads that are there, from `from_ns` on.
  void pass_time(int64_t time_ns, Tally& tally, int64_t from_ns = std::numeric_limits<int64_t>::min());

  std::vector<ThreadState> states() const;
  // What is to be known of a thread: nothing when it is not there.
  std::optional<ThreadState> state(ThreadId thread) const;

 private:
  struct Follow {
    StackId stack{};
    LabelSetId labels{};
    int64_t since_ns = 0;
    uint32_t place = 0;  // in there_
    bool is_there = false;
  };
  class Run;
  Follow& follow(const TraceRun& run, int64_t time_ns);
  void leave(ThreadId thread);
  void add_memory(Tally& tally);

  const Symbols& symbols_;
  FindStack find_;
  StackSteps steps_;
  std::vector<Follow> threads_;  // by ThreadId
  std::vector<ThreadId> there_;

  // Allocations and frees of a slice, until they are in the order of time.
  struct MemoryEvent {
    int64_t time_ns;
    ThreadId thread;
    StackId stack;
    LabelSetId labels;
    StringId type;
    uint64_t bytes;
    bool is_free, temporary;
    ThreadId by;  // who frees, not who allocated
  };
  std::vector<MemoryEvent> memory_;
};

}  // namespace pycroscope

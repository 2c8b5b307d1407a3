// Trace events one by one, with all that is known of each: rebuilt from the compact columns.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "analysis/model/events.h"

namespace pycroscope {

struct WalkedEvent {
  TraceEvent event;
  ThreadId thread{};
  LabelSetId labels{};
  StackId stack{};                                    // after the event
  int64_t duration_ns = -1;                           // -1: not known
  int64_t memory_bytes = 0;                           // by which the process's memory changed
  std::vector<std::pair<StringId, StringId>> locals;  // names and texts
};

// One owner thread.
class TraceWalk {
 public:
  explicit TraceWalk(const EventReader& reader) : reader_(reader) {}

  // The events of a block in the order of time, those of one moment by thread; none of a damaged one. Blocks are walked
  // forward; how long a call took is known where its entry was walked over as well.
  std::vector<WalkedEvent> block(const TraceBlockPlace& place);

 private:
  struct Thread {
    bool is_known = false;
    StackId stack{};
    std::vector<int64_t> entries;  // times of the entries of the stack's frames, -1 unknown
  };
  void walk(const TraceRun& run, const TraceEvent* events, Thread& thread, std::vector<WalkedEvent>& out);
  void step(Thread& thread, WalkedEvent& e);

  const EventReader& reader_;
  StackSteps steps_;
  std::vector<Thread> threads_;
};

// Where the threads are at a moment: all that are there.
std::vector<ThreadState> threads_at(const EventReader& reader, int64_t time_ns);

}  // namespace pycroscope

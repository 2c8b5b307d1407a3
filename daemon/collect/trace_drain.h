// From the rings of a traced process to its session: reads what its threads wrote, gives it the session's ids, puts
// allocations and their frees, raises and catches together, and hands it on in slices of time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "analysis/model/events.h"
#include "daemon/collect/ring_reader.h"

namespace pycroscope {

// What the times of rings are in the session's.
struct RingTime {
  int64_t zero_ns = 0;  // where in the session the rings' 0 is
  double ns_a_tick = 1;

  int64_t duration_ns(uint64_t ticks) const { return static_cast<int64_t>(static_cast<double>(ticks) * ns_a_tick); }
  int64_t session_ns(uint64_t time) const { return zero_ns + duration_ns(time); }
};

class TraceDrain {
 public:
  // Blocks that are remembered at once, about 100 bytes each.
  static constexpr size_t kMaxLiveBlocks = 2'000'000;
  // Texts, functions and locations that a process may define; a writer that defines more is broken.
  static constexpr uint32_t kMaxDefinitions = 1u << 22;

  // `sink` outlives it. Without `with_calls` the rings say nothing of who has called whom: a line stands alone on its
  // thread's stack then, and what has a place of its own tells the whole of it. One owner thread.
  TraceDrain(EventSink& sink, RingTime time, bool with_calls = true);
  ~TraceDrain();

  // A process, whose ring of definitions that is: its number. What its parent, whose number is given, has defined so
  // far is defined for a child that was forked.
  uint32_t add_process(RingReader definitions, std::optional<uint32_t> parent = std::nullopt);
  // All that the process's threads wrote was handed on, and none writes any more.
  bool has_finished(uint32_t process) const;
  // One that has: its ring of definitions need not be there any more.
  void remove_process(uint32_t process);
  // A thread's ring, from its first event on. Its memory must be there until all of it was handed on. `process`: the
  // number of its process.
  void add(ThreadId thread, RingReader ring, uint32_t process);
  // The thread's writer was killed: the next drain() hands on what is left, and touches the ring no more afterwards.
  void writer_is_gone(ThreadId thread);

  // It becomes known better.
  void set_time(RingTime time);

  // Hands on what happened before `until`, which must be some while ago: who was held up between looking at the clock
  // and publishing an event has published it by then. Returns how many events were handed on.
  uint64_t drain(uint64_t until);
  // All threads' writers have gone, and what they wrote was handed on.
  bool finished() const;
  // Tells the writers that nobody reads any more.
  void close();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pycroscope

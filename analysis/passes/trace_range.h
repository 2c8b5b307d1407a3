// What the trace events of a time range add up to: from the sums that are stored with a session as far as they fit,
// from the events themselves at the edges.
#pragma once

#include <cstdint>
#include <vector>

#include "analysis/model/events.h"
#include "analysis/model/result.h"
#include "analysis/model/trace_tally.h"

namespace pycroscope {

// Above so many events in range an answer covers whole buckets only, unless it is to be exact.
inline constexpr uint64_t kExactEvents = 10'000'000;

// Reads events again, to add up those of a part of a bucket. One owner thread.
class RawTally {
 public:
  explicit RawTally(const EventReader& reader);

  // Adds [from_ns, to_ns). The events before it that say where the threads are are looked through as well: from the end
  // of the last bucket before.
  void add(int64_t from_ns, int64_t to_ns, Tally& tally);
  // The threads that are there at a moment.
  std::vector<ThreadState> states_at(int64_t time_ns);

 private:
  const EventReader& reader_;
  TraceTallier tallier_;
};

struct TraceRange {
  int64_t from_ns = 0, to_ns = 0;  // what is really covered
  bool exact = true;               // it is what was asked for
  Tally tally;                     // of it, settled
};

// `slot_shift`: of the tally's memory. kFailed when the request was cancelled.
Result<TraceRange> tally_range(const EventReader& reader, const EventFilter& range, bool refine, unsigned slot_shift);

// The smallest slot of which `range` has at most `slots`, no smaller than the finest.
unsigned slot_shift_for(const EventFilter& range, uint64_t slots);

}  // namespace pycroscope

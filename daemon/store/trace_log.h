// The trace of a session that is being written: events become blocks, and what they add up to becomes buckets, small
// ones and larger ones of sixteen each.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "analysis/model/events.h"
#include "analysis/model/trace_tally.h"
#include "daemon/store/keys.h"
#include "daemon/store/tally_codec.h"

namespace pycroscope {

// A bucket is cut after so many events, or what one that has none yet costs to read again.
inline constexpr uint64_t kBucketEvents = uint64_t{1} << 20;
inline constexpr uint32_t kBucketsPerBucket = 16;

struct TraceBlock {
  uint32_t number = 0;
  TraceColumns events;
};

struct NumberedBucket {
  uint32_t level = 0, number = 0;
  BucketSummary summary;
  TallyBucket bucket;
};

// What is ready to be stored.
struct TracePart {
  std::vector<TraceBlock> blocks;
  std::vector<NumberedBucket> buckets;
  uint64_t events = 0;  // of the blocks
};

// One owner thread.
class TraceLog {
 public:
  // `symbols` outlives it; stacks are added to it.
  explicit TraceLog(Symbols& symbols, uint64_t bucket_events = kBucketEvents);

  // As EventSink::add_trace.
  void add(const TraceColumns& slice, int64_t to_ns);
  // Events of blocks that are full.
  uint64_t full_events() const { return part_.events; }
  // Ends the block that is not full, and takes what is ready.
  TracePart take();
  // Ends the buckets as well.
  TracePart finish();
  // What was taken last could not be stored: nor is what adds it up to be.
  void forget_sums();

 private:
  struct Level {
    TallyBucket bucket;
    BucketSummary summary;
    uint32_t next_number = 0, parts = 0;
    bool is_damaged = false;
  };
  void end_block();
  void end_bucket(uint32_t level);
  void begin_bucket(uint32_t level);

  uint64_t bucket_events_;
  TraceTallier tallier_;
  TraceColumns open_;
  uint32_t next_block_ = 0;
  std::array<Level, kBucketLevels> levels_;
  int64_t to_ns_ = 0;
  TracePart part_;
};

}  // namespace pycroscope

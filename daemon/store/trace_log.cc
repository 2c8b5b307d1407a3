#include "daemon/store/trace_log.h"

#include <algorithm>
#include <utility>

namespace pycroscope {

TraceLog::TraceLog(Symbols& symbols, uint64_t bucket_events)
    : bucket_events_(bucket_events), tallier_(symbols, [&symbols](const StackStep& step) {
        return std::optional(symbols.intern_stack(step.parent, symbols.intern_location(step.location)));
      }) {
  for (uint32_t level = 0; level < kBucketLevels; ++level) begin_bucket(level);
}

void TraceLog::begin_bucket(uint32_t level) {
  Level& l = levels_[level];
  l.bucket = {.from_ns = to_ns_, .to_ns = to_ns_, .tally = Tally(Tally::slot_shift_of_level(level)), .states = {}};
  l.summary = {.from_ns = to_ns_, .to_ns = to_ns_, .events = 0, .first_block = next_block_, .end_block = next_block_};
  l.parts = 0;
  l.is_damaged = false;
}

void TraceLog::add(const TraceColumns& slice, int64_t to_ns) {
  if (slice.size() > 0) {
    if (open_.size() + slice.size() > kMaxTraceBlockEvents) end_block();
    // A writer makes stacks as it goes: nothing can make no sense to it.
    static_cast<void>(tallier_.add(slice, levels_[0].bucket.tally));
    levels_[0].summary.events += slice.size();
    open_.append(slice);
  }
  to_ns_ = std::max(to_ns_, to_ns);
  if (levels_[0].summary.events < bucket_events_) return;
  end_block();
  end_bucket(0);
}

void TraceLog::end_block() {
  if (open_.size() == 0) return;
  part_.events += open_.size();
  part_.blocks.push_back({next_block_++, std::exchange(open_, {})});
}

void TraceLog::end_bucket(uint32_t level) {
  Level& l = levels_[level];
  if (level == 0) {
    // All at one moment is no stretch of time, which a bucket has to be.
    to_ns_ = std::max(to_ns_, l.bucket.from_ns + 1);
    tallier_.pass_time(to_ns_, l.bucket.tally);
    l.bucket.states = tallier_.states();
  }
  l.bucket.tally.settle();
  l.bucket.to_ns = l.summary.to_ns = to_ns_;
  l.summary.end_block = next_block_;
  if (level + 1 < kBucketLevels) {
    Level& larger = levels_[level + 1];
    larger.bucket.tally.append(l.bucket.tally);
    larger.bucket.states = l.bucket.states;
    larger.summary.events += l.summary.events;
    larger.is_damaged |= l.is_damaged;
    ++larger.parts;
  }
  if (!l.is_damaged) part_.buckets.push_back({level, l.next_number, l.summary, std::move(l.bucket)});
  ++l.next_number;
  begin_bucket(level);
  if (level + 1 < kBucketLevels && levels_[level + 1].parts == kBucketsPerBucket) end_bucket(level + 1);
}

TracePart TraceLog::take() {
  end_block();
  return std::exchange(part_, {});
}

TracePart TraceLog::finish() {
  end_block();
  for (uint32_t level = 0; level < kBucketLevels; ++level) {
    const bool has_something = level == 0 ? levels_[0].summary.events > 0 : levels_[level].parts > 0;
    if (has_something) end_bucket(level);
  }
  return take();
}

void TraceLog::forget_sums() {
  part_.buckets.clear();
  for (Level& level : levels_) level.is_damaged = true;
}

}  // namespace pycroscope

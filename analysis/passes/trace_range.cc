#include "analysis/passes/trace_range.h"

#include <algorithm>
#include <ranges>
#include <span>

namespace pycroscope {
namespace {

// A bucket that begins at `from_ns` and ends by `to_ns`, the largest such whose slots are no longer than the tally's.
const BucketPlace* bucket_at(const EventReader& reader, int64_t from_ns, int64_t to_ns, uint32_t levels) {
  for (uint32_t level = levels; level-- > 0;) {
    const auto buckets = reader.buckets(level);
    const auto at =
        std::ranges::lower_bound(buckets, from_ns, {}, [](const BucketPlace& b) { return b.summary.from_ns; });
    if (at != buckets.end() && at->summary.from_ns == from_ns && at->summary.to_ns <= to_ns) return &*at;
  }
  return nullptr;
}

// Where the first of the smallest buckets begins that is not before `from_ns`; `to_ns` without one.
int64_t next_edge(const EventReader& reader, int64_t from_ns, int64_t to_ns) {
  const auto buckets = reader.buckets(0);
  const auto at =
      std::ranges::upper_bound(buckets, from_ns, {}, [](const BucketPlace& b) { return b.summary.from_ns; });
  return at == buckets.end() ? to_ns : std::min(at->summary.from_ns, to_ns);
}

uint64_t events_in(const EventReader& reader, const EventFilter& range) {
  uint64_t events = 0;
  for (const BucketPlace& b : reader.buckets(0))
    if (b.summary.to_ns > range.from_ns && b.summary.from_ns < range.to_ns) events += b.summary.events;
  return events;
}

// The part of the range that whole buckets, and what came after the last of them, cover.
EventFilter snapped(const EventReader& reader, EventFilter range) {
  const auto buckets = reader.buckets(0);
  for (const BucketPlace& b : buckets) {
    if (b.summary.from_ns < range.from_ns && range.from_ns < b.summary.to_ns) range.from_ns = b.summary.to_ns;
    if (b.summary.from_ns < range.to_ns && range.to_ns < b.summary.to_ns) range.to_ns = b.summary.from_ns;
  }
  range.to_ns = std::max(range.to_ns, range.from_ns);
  return range;
}

// From when on the events themselves are there: the oldest may have been dropped.
int64_t raw_from(const EventReader& reader) {
  const auto blocks = reader.trace_blocks();
  const uint32_t first = blocks.empty() ? UINT32_MAX : blocks.front().number;
  if (first == 0) return 0;
  int64_t from = blocks.empty() ? 0 : blocks.front().summary.min_ns;
  for (const BucketPlace& b : reader.buckets(0))
    if (b.summary.end_block <= first) from = b.summary.to_ns;
  return from;
}

}  // namespace

RawTally::RawTally(const EventReader& reader)
    : reader_(reader), tallier_(reader.symbols(), [&reader](const StackStep& step) -> std::optional<StackId> {
        const auto location = reader.symbols().find_location(step.location);
        return location ? reader.symbols().find_stack(step.parent, *location) : std::nullopt;
      }) {}

void RawTally::add(int64_t from_ns, int64_t to_ns, Tally& tally) {
  uint32_t first_block = 0;
  const auto smallest = reader_.buckets(0);
  auto after = std::ranges::upper_bound(smallest, from_ns, {}, [](const BucketPlace& b) { return b.summary.to_ns; });
  tallier_.start({}, 0);
  while (after != smallest.begin()) {
    const BucketPlace& before = *--after;
    const std::optional<TallyBucket> bucket = reader_.bucket(before);
    if (!bucket) continue;
    tallier_.start(bucket->states, bucket->to_ns);
    first_block = before.summary.end_block;
    break;
  }
  for (const TraceBlockPlace& place : reader_.trace_blocks()) {
    if (place.number < first_block || place.summary.min_ns >= to_ns) continue;
    const std::optional<TraceColumns> events = reader_.trace_block(place);
    // Events that make no sense are those of a damaged session: what came before them in the block counts.
    if (events) static_cast<void>(tallier_.add(*events, tally, from_ns, to_ns));
  }
  tallier_.pass_time(to_ns, tally, from_ns);
}

std::vector<ThreadState> RawTally::states_at(int64_t time_ns) {
  Tally unused;
  add(time_ns, time_ns, unused);
  return tallier_.states();
}

unsigned slot_shift_for(const EventFilter& range, uint64_t slots) {
  unsigned shift = Tally::kFinestShift;
  while (static_cast<uint64_t>(range.to_ns - range.from_ns) >> shift >= slots) ++shift;
  return shift;
}

Result<TraceRange> tally_range(const EventReader& reader, const EventFilter& range, bool refine, unsigned slot_shift) {
  EventFilter covered = range;
  covered.from_ns = std::max<int64_t>(covered.from_ns, 0);
  covered.to_ns = std::max(std::min(covered.to_ns, reader.session().duration_ns()), covered.from_ns);
  const EventFilter asked = covered;
  if (!refine && events_in(reader, covered) > kExactEvents) covered = snapped(reader, covered);

  TraceRange result{covered.from_ns, covered.to_ns, covered.from_ns == asked.from_ns && covered.to_ns == asked.to_ns,
                    Tally(slot_shift)};
  uint32_t levels = 1;
  while (levels < kBucketLevels && slot_shift >= Tally::slot_shift_of_level(levels)) ++levels;
  std::optional<RawTally> raw;
  const int64_t raw_begins = raw_from(reader);
  for (int64_t at = covered.from_ns; at < covered.to_ns;) {
    const BucketPlace* place = bucket_at(reader, at, covered.to_ns, levels);
    std::optional<TallyBucket> bucket;
    for (uint32_t smaller = place ? place->level : 0; place && !(bucket = reader.bucket(*place)) && smaller > 0;
         --smaller)
      place = bucket_at(reader, at, covered.to_ns, smaller);
    if (bucket) {
      result.tally.append(bucket->tally);
      at = place->summary.to_ns;
      continue;
    }
    const int64_t to = next_edge(reader, at, covered.to_ns);
    if (at < raw_begins) {  // no more is left of it than of the whole buckets around
      result.exact = false;
      (at == result.from_ns ? result.from_ns : result.to_ns) = at == result.from_ns ? to : at;
      if (result.to_ns == at) break;
      at = to;
      continue;
    }
    Tally part(slot_shift);
    if (!raw) raw.emplace(reader);
    raw->add(at, to, part);
    part.settle();
    result.tally.append(part);
    at = to;
  }
  result.tally.settle();
  return result;
}

}  // namespace pycroscope

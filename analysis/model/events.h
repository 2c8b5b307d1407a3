// Event shapes (a small closed set) and the two interfaces between which they travel: collectors write to an
// EventSink, passes read from an EventReader. The store implements both.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "analysis/model/result.h"
#include "analysis/model/symbols.h"
#include "analysis/model/trace_event.h"
#include "analysis/model/trace_tally.h"
#include "pycroscope/v1/session.pb.h"

namespace pycroscope {

// One observation of one thread's stack.
struct Sample {
  int64_t time_ns = 0;  // since the session's start; stored in whole microseconds
  ThreadId thread{};
  StackId stack{};  // 0: no frame could be named
  LabelSetId labels{};
  int64_t weight_ns = 0;   // the time it stands for
  bool truncated = false;  // root-most frames are missing
};

// Samples as columns of equal length, in the order of recording (times of one thread ascend).
struct SampleColumns {
  std::vector<int64_t> time_ns;
  std::vector<uint32_t> thread;     // ThreadId
  std::vector<uint32_t> stack;      // StackId
  std::vector<uint32_t> label_set;  // LabelSetId
  std::vector<int64_t> weight_ns;
  std::vector<uint8_t> truncated;

  size_t size() const { return time_ns.size(); }
  void push_back(const Sample& s);
  Sample at(size_t i) const;
  void clear();
};

// Where collectors put what they see. One owner thread: the recording's.
class EventSink {
 public:
  virtual ~EventSink() = default;
  // Symbols that events handed to this sink may refer to.
  virtual Symbols& symbols() = 0;
  virtual void add(const Sample& sample) = 0;
  // Events of all threads up to `to_ns`, at most kMaxTraceBlockEvents of them; no later slice has any before that time.
  virtual void add_trace(const TraceColumns& slice, int64_t to_ns) = 0;
  virtual void add_loss(v1::LossReason reason, uint64_t count) = 0;
};

// Of a trace that is recorded in slices: how many events one may have at most, and a stored block of slices.
inline constexpr uint32_t kMaxTraceBlockEvents = 65536;

// Which blocks of a trace a bucket adds up: those from `first_block` to before `end_block`, by number.
struct BucketSummary {
  int64_t from_ns = 0, to_ns = 0;  // the bucket's
  uint64_t events = 0;
  uint32_t first_block = 0, end_block = 0;
  bool operator==(const BucketSummary&) const = default;
};

struct TraceBlockPlace {
  uint32_t number = 0;
  TraceSummary summary;
};
struct BucketPlace {
  uint32_t level = 0, number = 0;
  BucketSummary summary;
};

inline constexpr uint32_t kBucketLevels = 4;

struct EventFilter {
  int64_t from_ns = 0;                                  // inclusive
  int64_t to_ns = std::numeric_limits<int64_t>::max();  // exclusive
};

// A session's events. Readers are immutable snapshots: what is recorded later is not seen.
class EventReader {
 public:
  virtual ~EventReader() = default;
  virtual const v1::Session& session() const = 0;
  virtual const Symbols& symbols() const = 0;
  // SHA-256 of the stored source of `file`, empty when none was stored.
  virtual std::string source_hash(FileId file) const = 0;
  virtual Result<std::string> source(const std::string& content_hash) const = 0;
  // Calls `visit` with batches in time order of their first sample; every sample of a batch is in range. Damaged
  // blocks are skipped and counted in `damaged_events`.
  virtual Status samples(const EventFilter& filter, const std::function<void(const SampleColumns&)>& visit) const = 0;
  // The same samples in the order of recording, in blocks: [0, block_count()). What a block holds stays as it is while
  // the session grows, but for the last one, which samples are added to.
  virtual uint32_t block_count() const = 0;
  // Those in range; none of a block that is damaged. Reads no block that has none in range.
  virtual SampleColumns block(uint32_t position, const EventFilter& filter) const = 0;
  // The trace's blocks in order of time, without what was dropped, lost or shows to be damaged without being read.
  virtual std::span<const TraceBlockPlace> trace_blocks() const = 0;
  // The block's events, whose ids are all known; nothing when it is damaged.
  virtual std::optional<TraceColumns> trace_block(const TraceBlockPlace& place) const = 0;
  // Those buckets of a level (0 <= level < kBucketLevels) that are there, in order of time. Level 0 has the smallest.
  virtual std::span<const BucketPlace> buckets(uint32_t level) const = 0;
  // Nothing when it is damaged.
  virtual std::optional<TallyBucket> bucket(const BucketPlace& place) const = 0;
  // What session().loss() calls recorded and could not be read so far. Losses that show without reading the events are
  // in session().loss() already.
  virtual uint64_t damaged_events() const = 0;
};

}  // namespace pycroscope

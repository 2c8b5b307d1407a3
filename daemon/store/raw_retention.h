// Which raw events of a session are to be dropped, the oldest first: those that a flight recorder forgets and those
// that are beyond what the session may keep. What a trace's events add up to stays.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "analysis/model/events.h"
#include "daemon/store/block_codec.h"
#include "daemon/store/keys.h"
#include "pycroscope/v1/session.pb.h"

namespace pycroscope {

// One owner thread.
class RawRetention {
 public:
  explicit RawRetention(const v1::RecordingConfig& config);

  // Whether a block of samples has to end that holds so many and begins so long ago: only whole ones can go.
  bool ends_block(size_t samples, int64_t age_ns) const;

  // A block of samples is stored, and will not change.
  void stored(uint32_t block, const BlockSummary& summary);
  // A bucket of level 0 is stored, and all its blocks are.
  void stored(const BucketSummary& bucket);

  struct Drop {
    size_t parts = 0;  // the oldest
    uint64_t samples = 0, trace_events = 0;
    bool reclaim = false;  // for the room that they take
    std::vector<std::string> keys;
  };
  // What has to go now. `bytes`: of the session; `duration_ns`: of what was recorded so far. What is left of a trace is
  // written anew when much is removed, so a good part of it goes at once.
  Drop choose(uint64_t bytes, int64_t duration_ns) const;
  // It has gone.
  void dropped(const Drop& drop);

 private:
  static constexpr size_t kBatch = 4;          // a part of so many at once
  static constexpr int64_t kBlocksKept = 10;   // so many blocks of samples make up what is kept, and one more
  static constexpr uint64_t kSampleBytes = 4;  // about

  // Blocks that go together.
  struct Part {
    bool is_trace;
    uint32_t first_block, end_block;
    uint64_t events;
    int64_t end_ns;
  };
  void stored(const Part& part);

  uint64_t max_bytes_, max_events_;  // 0: any
  std::optional<int64_t> keep_ns_;
  std::deque<Part> kept_;
};

}  // namespace pycroscope

// Which raw events of a trace are to be dropped: the oldest, bucket by bucket, so that what they add up to stays.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "analysis/model/events.h"
#include "pycroscope/v1/session.pb.h"

namespace pycroscope {

// One owner thread.
class RawRetention {
 public:
  explicit RawRetention(const v1::RecordingConfig& config);

  // A bucket of level 0 is stored, and all its blocks are.
  void stored(const BucketSummary& bucket);

  struct Drop {
    size_t buckets = 0;  // the oldest
    uint64_t events = 0;
    std::vector<std::string> keys;
  };
  // What has to go now. `bytes`: of the session; `duration_ns`: of what was recorded so far. What is left is written
  // anew when much is removed, so a good part of it goes at once.
  Drop choose(uint64_t bytes, int64_t duration_ns) const;
  // It has gone.
  void dropped(size_t buckets);

 private:
  static constexpr size_t kBatch = 4;  // a part of so many at once

  uint64_t max_bytes_, max_events_;  // 0: any
  std::optional<int64_t> keep_ns_;
  std::deque<BucketSummary> kept_;
};

}  // namespace pycroscope

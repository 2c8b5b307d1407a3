#include "daemon/store/raw_retention.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <numeric>

#include "daemon/store/keys.h"

namespace pycroscope {

using google::protobuf::util::TimeUtil;

RawRetention::RawRetention(const v1::RecordingConfig& config)
    : max_bytes_(config.max_bytes()), max_events_(config.max_events()) {
  if (config.has_keep_raw()) keep_ns_ = TimeUtil::DurationToNanoseconds(config.keep_raw());
}

void RawRetention::stored(const BucketSummary& bucket) {
  if (max_bytes_ > 0 || max_events_ > 0 || keep_ns_) kept_.push_back(bucket);
}

RawRetention::Drop RawRetention::choose(uint64_t bytes, int64_t duration_ns) const {
  size_t buckets = 0;
  const size_t batch = (kept_.size() + kBatch - 1) / kBatch;
  if (keep_ns_) {
    const auto old = static_cast<size_t>(
        std::ranges::count_if(kept_, [&](const BucketSummary& b) { return b.to_ns < duration_ns - *keep_ns_; }));
    if (old >= batch) buckets = old;
  }
  uint64_t events = std::accumulate(kept_.begin(), kept_.end(), uint64_t{0},
                                    [](uint64_t sum, const BucketSummary& b) { return sum + b.events; });
  if (max_events_ > 0 && events > max_events_)
    for (size_t i = 0; i < kept_.size() && events > max_events_ - max_events_ / kBatch; ++i) {
      events -= kept_[i].events;
      buckets = std::max(buckets, i + 1);
    }
  if (max_bytes_ > 0 && bytes > max_bytes_) buckets = std::max(buckets, batch);

  Drop drop{.buckets = buckets, .events = 0, .keys = {}};
  for (size_t i = 0; i < buckets; ++i) {
    drop.events += kept_[i].events;
    for (uint32_t block = kept_[i].first_block; block < kept_[i].end_block; ++block)
      for (const KeyKind kind : {KeyKind::kTraceSummary, KeyKind::kTrace})
        drop.keys.push_back(numbered_key(kind, block));
  }
  return drop;
}

void RawRetention::dropped(size_t buckets) {
  kept_.erase(kept_.begin(), kept_.begin() + static_cast<ptrdiff_t>(buckets));
}

}  // namespace pycroscope

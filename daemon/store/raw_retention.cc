#include "daemon/store/raw_retention.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <array>

namespace pycroscope {

using google::protobuf::util::TimeUtil;

RawRetention::RawRetention(const v1::RecordingConfig& config)
    : max_bytes_(config.max_bytes()), max_events_(config.max_events()) {
  const auto keep = [this](int64_t ns) { keep_ns_ = std::min(keep_ns_.value_or(ns), ns); };
  if (config.has_ring()) keep(TimeUtil::DurationToNanoseconds(config.ring()));
  if (config.has_keep_raw()) keep(TimeUtil::DurationToNanoseconds(config.keep_raw()));
}

bool RawRetention::ends_block(size_t samples, int64_t age_ns) const {
  if (keep_ns_ && age_ns >= *keep_ns_ / kBlocksKept) return true;
  if (max_bytes_ > 0 && samples >= max_bytes_ / (kBlocksKept * kSampleBytes)) return true;
  return max_events_ > 0 && samples >= max_events_ / kBlocksKept;
}

void RawRetention::stored(uint32_t block, const BlockSummary& summary) {
  stored({.is_trace = false,
          .first_block = block,
          .end_block = block + 1,
          .events = summary.count,
          .end_ns = summary.max_us * 1000});
}

void RawRetention::stored(const BucketSummary& bucket) {
  stored({.is_trace = true,
          .first_block = bucket.first_block,
          .end_block = bucket.end_block,
          .events = bucket.events,
          .end_ns = bucket.to_ns});
}

void RawRetention::stored(const Part& part) {
  if (max_bytes_ > 0 || max_events_ > 0 || keep_ns_) kept_.push_back(part);
}

RawRetention::Drop RawRetention::choose(uint64_t bytes, int64_t duration_ns) const {
  Drop drop;
  if (kept_.empty()) return drop;
  const size_t batch = (kept_.size() + kBatch - 1) / kBatch;
  if (keep_ns_) {
    const auto young =
        std::ranges::find_if(kept_, [&](const Part& part) { return part.end_ns >= duration_ns - *keep_ns_; });
    const auto old = static_cast<size_t>(young - kept_.begin());
    if (old >= batch || !kept_.front().is_trace) drop.parts = old;
  }
  uint64_t events = 0;
  for (const Part& part : kept_) events += part.events;
  const uint64_t spare = kept_.front().is_trace ? max_events_ / kBatch : 0;
  if (max_events_ > 0 && events > max_events_)
    for (size_t i = 0; i < kept_.size() && events > max_events_ - spare; ++i) {
      events -= kept_[i].events;
      drop.parts = std::max(drop.parts, i + 1);
    }
  drop.reclaim = max_bytes_ > 0 && bytes > max_bytes_;
  if (drop.reclaim) drop.parts = std::max(drop.parts, batch);

  for (size_t i = 0; i < drop.parts; ++i) {
    const Part& part = kept_[i];
    (part.is_trace ? drop.trace_events : drop.samples) += part.events;
    const auto kinds = part.is_trace ? std::array{KeyKind::kTraceSummary, KeyKind::kTrace}
                                     : std::array{KeyKind::kSummary, KeyKind::kBlock};
    for (uint32_t block = part.first_block; block < part.end_block; ++block)
      for (const KeyKind kind : kinds) drop.keys.push_back(numbered_key(kind, block));
  }
  return drop;
}

void RawRetention::dropped(const Drop& drop) {
  kept_.erase(kept_.begin(), kept_.begin() + static_cast<ptrdiff_t>(drop.parts));
}

}  // namespace pycroscope

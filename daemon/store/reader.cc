#include "daemon/store/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <numeric>
#include <unordered_map>

#include "analysis/model/loss.h"
#include "daemon/store/block_codec.h"
#include "daemon/store/bytes.h"
#include "daemon/store/keys.h"
#include "daemon/store/symbol_codec.h"
#include "daemon/store/tally_codec.h"
#include "daemon/store/trace_codec.h"
#include "daemon/store/zstd_codec.h"

namespace pycroscope {
namespace {

void keep_in_range(SampleColumns& samples, const EventFilter& filter) {
  auto [min, max] = std::ranges::minmax(samples.time_ns);
  if (min >= filter.from_ns && max < filter.to_ns) return;
  SampleColumns kept;
  for (size_t i = 0; i < samples.size(); ++i)
    if (samples.time_ns[i] >= filter.from_ns && samples.time_ns[i] < filter.to_ns) kept.push_back(samples.at(i));
  samples = std::move(kept);
}

class Reader : public EventReader {
 public:
  Reader(v1::Session session, std::shared_ptr<const DatabaseReader> database)
      : session_(std::move(session)), database_(std::move(database)) {
    load_symbols();
    load_sources();
    load_ring();
    load_trace();
    load_blocks();
  }

  const v1::Session& session() const override { return session_; }
  const Symbols& symbols() const override { return symbols_; }

  std::string source_hash(FileId file) const override {
    auto it = sources_.find(index(file));
    return it == sources_.end() ? std::string() : it->second;
  }

  Result<std::string> source(const std::string& content_hash) const override {
    std::string key = content_key(content_hash);
    Result<std::string> stored = database_->get(key);
    if (!stored && stored.error().code == ErrorCode::kNotFound)
      return fail(ErrorCode::kNotFound, "this source file is not stored with the session");
    std::optional<std::string_view> value = stored ? unseal(key, *stored) : std::nullopt;
    std::optional<std::string> content = value ? zstd_decompress_limited(*value, kMaxSourceBytes) : std::nullopt;
    if (!content) return fail(ErrorCode::kCorrupt, "a source file stored with the session is damaged");
    return *std::move(content);
  }

  Status samples(const EventFilter& filter, const std::function<void(const SampleColumns&)>& visit) const override {
    for (const uint32_t position : in_time_) {
      const SampleColumns samples = block(position, filter);
      if (samples.size() > 0) visit(samples);
    }
    return {};
  }

  uint32_t block_count() const override { return static_cast<uint32_t>(blocks_.size()); }

  SampleColumns block(uint32_t position, const EventFilter& filter) const override {
    const Block& block = blocks_[position];
    if (block.summary.max_us < filter.from_ns / 1000 || block.summary.min_us > filter.to_ns / 1000) return {};
    std::optional<SampleColumns> samples = read_block(block);
    if (!samples) return {};
    keep_in_range(*samples, filter);
    return *std::move(samples);
  }

  std::span<const TraceBlockPlace> trace_blocks() const override { return trace_blocks_; }

  std::optional<TraceColumns> trace_block(const TraceBlockPlace& place) const override {
    const std::string key = numbered_key(KeyKind::kTrace, place.number);
    const std::optional<std::string> value = get(key);
    std::optional<TraceColumns> events = value ? decode_trace(*value) : std::nullopt;
    if (events && summarize(*events) == place.summary && are_known(*events, known_)) return events;
    count_damage(key, place.summary.count);
    return std::nullopt;
  }

  std::span<const BucketPlace> buckets(uint32_t level) const override { return buckets_[level]; }

  std::optional<TallyBucket> bucket(const BucketPlace& place) const override {
    const std::optional<std::string> value =
        get(numbered_key(KeyKind::kBucket, bucket_number(place.level, place.number)));
    std::optional<TallyBucket> bucket = value ? decode_bucket(*value, known_) : std::nullopt;
    if (!bucket || bucket->from_ns != place.summary.from_ns || bucket->to_ns != place.summary.to_ns)
      return std::nullopt;
    return bucket;
  }

  uint64_t damaged_events() const override {
    std::lock_guard lock(mutex_);
    uint64_t total = 0;
    for (const auto& [key, count] : damaged_) total += count;
    return total;
  }

 private:
  struct Block {
    uint32_t number = 0;
    BlockSummary summary;
  };

  // Calls `visit(number, value)` for the undamaged entries of a kind.
  void scan(KeyKind kind, const std::function<bool(uint32_t, std::string_view)>& visit) const {
    static_cast<void>(database_->scan(key_prefix(kind), [&](std::string_view key, std::string_view stored) {
      std::optional<uint32_t> number = key_number(key);
      std::optional<std::string_view> value = unseal(key, stored);
      return !number || !value || visit(*number, *value);
    }));  // a scan that ends early is damage like any other: what is missing is counted
  }

  // Ids after a damaged delta mean nothing, so loading stops there; samples that need them count as damaged.
  void load_symbols() {
    uint32_t expected = 0;
    scan(KeyKind::kSymbols, [&](uint32_t number, std::string_view delta) {
      return number == expected++ && apply_symbols(delta, symbols_);
    });
    known_ = symbols_.mark();
  }

  void load_sources() {
    scan(KeyKind::kFileSource, [&](uint32_t file, std::string_view hash) {
      if (hash.size() == kHashSize) sources_[file] = hash;
      return true;
    });
  }

  void load_ring() {
    scan(KeyKind::kRing, [&](uint32_t, std::string_view bytes) {
      ByteReader in(bytes);
      const uint64_t discarded = in.varint();
      if (in.finished()) session_.mutable_loss()->set_discarded(discarded);
      return true;
    });
  }

  void load_trace() {
    scan(KeyKind::kTraceSummary, [&](uint32_t number, std::string_view bytes) {
      const std::optional<TraceSummary> summary = decode_trace_summary(bytes);
      if (summary) trace_blocks_.push_back({number, *summary});
      return true;
    });
    scan(KeyKind::kBucketSummary, [&](uint32_t number, std::string_view bytes) {
      const std::optional<BucketSummary> summary = decode_bucket_summary(bytes);
      const uint32_t level = level_of_bucket(number);
      if (summary && level < kBucketLevels)
        buckets_[level].push_back({level, number - bucket_number(level, 0), *summary});
      return true;
    });
  }

  void load_blocks() {
    scan(KeyKind::kSummary, [&](uint32_t number, std::string_view bytes) {
      if (std::optional<BlockSummary> summary = decode_summary(bytes)) blocks_.push_back({number, *summary});
      return true;
    });
    uint64_t there = 0;
    for (const Block& block : blocks_) there += block.summary.count;
    count_what_is(there);
    in_time_.resize(blocks_.size());
    std::iota(in_time_.begin(), in_time_.end(), 0);
    std::ranges::stable_sort(in_time_, {}, [this](uint32_t position) { return blocks_[position].summary.first_us; });
  }

  // session.pb counts what was written. A recording goes on after it; summaries that are damaged are missing.
  void count_what_is(uint64_t samples) {
    v1::Loss& loss = *session_.mutable_loss();
    const uint64_t written = loss.recorded();
    session_.set_samples(samples);
    for (const TraceBlockPlace& block : trace_blocks_) samples += block.summary.count;
    session_.set_events(samples);
    loss.set_recorded(session_.events() + loss.discarded());
    if (loss.recorded() < written) add_loss(loss, v1::LOSS_REASON_CORRUPT_BLOCK, written - loss.recorded());
  }

  std::optional<SampleColumns> read_block(const Block& block) const {
    const std::string key = numbered_key(KeyKind::kBlock, block.number);
    const std::optional<std::string> value = get(key);
    std::optional<SampleColumns> samples = value ? decode_block(*value) : std::nullopt;
    if (samples && samples->size() == block.summary.count && has_symbols(*samples)) return samples;
    count_damage(key, block.summary.count);
    return std::nullopt;
  }

  // The undamaged value of a key.
  std::optional<std::string> get(const std::string& key) const {
    const Result<std::string> stored = database_->get(key);
    const std::optional<std::string_view> value = stored ? unseal(key, *stored) : std::nullopt;
    return value ? std::optional<std::string>(*value) : std::nullopt;
  }

  void count_damage(const std::string& key, uint64_t events) const {
    std::lock_guard lock(mutex_);
    damaged_[key] = events;
  }

  bool has_symbols(const SampleColumns& samples) const {
    return std::ranges::max(samples.thread) < known_.threads && std::ranges::max(samples.stack) < known_.stacks &&
           std::ranges::max(samples.label_set) < known_.label_sets;
  }

  v1::Session session_;
  std::shared_ptr<const DatabaseReader> database_;
  Symbols symbols_;
  Symbols::Mark known_;
  std::unordered_map<uint32_t, std::string> sources_;
  std::vector<Block> blocks_;      // in the order of recording
  std::vector<uint32_t> in_time_;  // positions in blocks_, by the time of their first sample

  std::vector<TraceBlockPlace> trace_blocks_;
  std::array<std::vector<BucketPlace>, kBucketLevels> buckets_;

  mutable std::mutex mutex_;
  mutable std::map<std::string, uint64_t> damaged_;  // key → events; guarded by mutex_
};

}  // namespace

Result<std::unique_ptr<EventReader>> make_reader(v1::Session session, std::shared_ptr<const DatabaseReader> database) {
  if (session.format_version() > kFormatVersion)
    return fail(
        ErrorCode::kFailed,
        fmt::format("session {} was written by a newer Pycroscope (format {}, this one reads up to {}): update it",
                    session.id(), session.format_version(), kFormatVersion));
  return std::make_unique<Reader>(std::move(session), std::move(database));
}

}  // namespace pycroscope

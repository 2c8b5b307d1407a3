#include "daemon/session/cancellable_reader.h"

#include <string>
#include <utility>

namespace pycroscope {
namespace {

class CancellableReader final : public EventReader {
 public:
  CancellableReader(std::unique_ptr<EventReader> reader, std::function<bool()> cancelled)
      : reader_(std::move(reader)), cancelled_(std::move(cancelled)) {}

  const v1::Session& session() const override { return reader_->session(); }
  const Symbols& symbols() const override { return reader_->symbols(); }
  std::string source_hash(FileId file) const override { return reader_->source_hash(file); }
  Result<std::string> source(const std::string& hash) const override { return reader_->source(hash); }
  Status samples(const EventFilter& filter, const std::function<void(const SampleColumns&)>& visit) const override {
    bool stopped = false;
    // A block costs most when it is visited: the rest are read and passed over.
    PYC_CHECK(reader_->samples(filter, [&](const SampleColumns& samples) {
      stopped = stopped || cancelled_();
      if (!stopped) visit(samples);
    }));
    return stopped ? fail(ErrorCode::kFailed, "the request was cancelled") : Status();
  }
  uint32_t block_count() const override { return reader_->block_count(); }
  SampleColumns block(uint32_t position, const EventFilter& filter) const override {
    return cancelled_() ? SampleColumns() : reader_->block(position, filter);
  }
  std::span<const TraceBlockPlace> trace_blocks() const override { return reader_->trace_blocks(); }
  std::optional<TraceColumns> trace_block(const TraceBlockPlace& place) const override {
    return cancelled_() ? std::nullopt : reader_->trace_block(place);
  }
  std::span<const BucketPlace> buckets(uint32_t level) const override { return reader_->buckets(level); }
  std::optional<TallyBucket> bucket(const BucketPlace& place) const override {
    return cancelled_() ? std::nullopt : reader_->bucket(place);
  }
  uint64_t damaged_events() const override { return reader_->damaged_events(); }

 private:
  std::unique_ptr<EventReader> reader_;
  std::function<bool()> cancelled_;
};

}  // namespace

std::unique_ptr<EventReader> make_cancellable(std::unique_ptr<EventReader> reader, std::function<bool()> cancelled) {
  return std::make_unique<CancellableReader>(std::move(reader), std::move(cancelled));
}

}  // namespace pycroscope

#include "daemon/session/live_top.h"

#include <utility>

#include "analysis/passes/pass.h"

namespace pycroscope {
namespace {

constexpr uint32_t kRows = 200;

// The samples of one interval, for the passes.
class IntervalReader final : public EventReader {
 public:
  IntervalReader(const v1::Session& session, const Symbols& symbols, const SampleColumns& samples)
      : session_(session), symbols_(symbols), samples_(samples) {}

  const v1::Session& session() const override { return session_; }
  const Symbols& symbols() const override { return symbols_; }
  std::string source_hash(FileId) const override { return {}; }
  Result<std::string> source(const std::string&) const override {
    return fail(ErrorCode::kNotFound, "no sources are kept with an interval");
  }
  // The filter of the views made here is always open.
  Status samples(const EventFilter&, const std::function<void(const SampleColumns&)>& visit) const override {
    if (samples_.size() != 0) visit(samples_);
    return {};
  }
  uint32_t block_count() const override { return 1; }
  SampleColumns block(uint32_t, const EventFilter&) const override { return samples_; }
  std::span<const TraceBlockPlace> trace_blocks() const override { return {}; }
  std::optional<TraceColumns> trace_block(const TraceBlockPlace&) const override { return std::nullopt; }
  std::span<const BucketPlace> buckets(uint32_t) const override { return {}; }
  std::optional<TallyBucket> bucket(const BucketPlace&) const override { return std::nullopt; }
  uint64_t damaged_events() const override { return 0; }

 private:
  const v1::Session& session_;
  const Symbols& symbols_;
  const SampleColumns& samples_;
};

Result<v1::View> top(const EventReader& reader, v1::ViewKind kind) {
  v1::ViewRequest request;
  request.set_session(reader.session().id());
  request.set_kind(kind);
  request.set_limit(kRows);
  return compute_view(reader, request);
}

}  // namespace

void LiveTop::add(const Sample& sample) {
  ++events_;
  if (remember_ && interval_.size() < kMaxSamples) interval_.push_back(sample);
  sink_.add(sample);
}

void LiveTop::remember(bool on) {
  if (remember_ != on) interval_.clear();
  remember_ = on;
}

Status LiveTop::take(const v1::Session& session, v1::RecordingUpdate& update) {
  const SampleColumns interval = std::exchange(interval_, {});
  const IntervalReader reader(session, symbols(), interval);
  PYC_TRY(*update.mutable_top_functions(), top(reader, v1::VIEW_KIND_FUNCTIONS));
  PYC_TRY(*update.mutable_top_lines(), top(reader, v1::VIEW_KIND_LINES));
  PYC_TRY(*update.mutable_top_threads(), top(reader, v1::VIEW_KIND_THREADS));
  return {};
}

}  // namespace pycroscope

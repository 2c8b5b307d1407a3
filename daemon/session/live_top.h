// What the last interval of a recording was spent on.
#pragma once

#include "analysis/model/events.h"
#include "pycroscope/v1/service.pb.h"

namespace pycroscope {

// Passes events on to a sink and remembers the samples of the current interval. One owner thread: the recording's.
class LiveTop final : public EventSink {
 public:
  // Samples remembered at most; an interval with more of them is judged by its first ones.
  static constexpr size_t kMaxSamples = 100'000;

  explicit LiveTop(EventSink& sink) : sink_(sink) {}

  Symbols& symbols() override { return sink_.symbols(); }
  void add(const Sample& sample) override;
  void add_trace(const TraceColumns& slice, int64_t to_ns) override {
    events_ += slice.size();
    sink_.add_trace(slice, to_ns);
  }
  void add_loss(v1::LossReason reason, uint64_t count) override { sink_.add_loss(reason, count); }

  uint64_t events() const { return events_; }  // samples and others, since the start, remembered or not
  // Whether samples are remembered; begins a new interval.
  void remember(bool on);
  // Fills the three views of `update` from the interval that ends now, and begins the next one.
  Status take(const v1::Session& session, v1::RecordingUpdate& update);

 private:
  EventSink& sink_;
  uint64_t events_ = 0;
  bool remember_ = false;
  SampleColumns interval_;
};

}  // namespace pycroscope

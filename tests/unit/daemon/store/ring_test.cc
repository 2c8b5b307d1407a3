// Sessions that keep only the last so much of a recording or the last so many samples, and copies of sessions that are
// being recorded.
#include <google/protobuf/util/time_util.h>

#include "tests/unit/daemon/store/fixtures.h"

namespace pycroscope {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

class RingTest : public StoreTest {
 protected:
  std::unique_ptr<SessionWriter> create_ring(int64_t seconds) {
    v1::RecordingConfig config;
    config.mutable_ring()->set_seconds(seconds);
    return create(config);
  }
  std::unique_ptr<SessionWriter> create(const v1::RecordingConfig& config) {
    v1::Session session;
    *session.mutable_config() = config;
    auto writer = store().create(session, self_);
    EXPECT_TRUE(writer) << writer.error().message;
    thread_ = make_thread((*writer)->symbols());
    return *std::move(writer);
  }
  // As the recorder does it: samples at 100 Hz, a sync each second.
  void record(SessionWriter& writer, int64_t seconds) {
    for (int64_t end = time_ns_ + seconds * kSecond; time_ns_ < end;) {
      for (int i = 0; i < 100; ++i, time_ns_ += kSecond / 100)
        writer.add({time_ns_, thread_, StackId{}, LabelSetId{}, kSecond / 100, false});
      writer.set_duration(time_ns_);
      ASSERT_TRUE(writer.sync());
    }
  }
  ThreadId thread_{};
  int64_t time_ns_ = 0;
};

TEST_F(RingTest, KeepsTheEndAndCountsWhatItDropped) {
  auto writer = create_ring(10);
  record(*writer, 100);
  ASSERT_TRUE(writer->finish(v1::SESSION_STATE_COMPLETE));
  auto reader = store().read("", self_);
  ASSERT_TRUE(reader) << reader.error().message;
  const SampleColumns kept = read_all(**reader);
  EXPECT_GE(kept.size(), 1'000u);
  EXPECT_LE(kept.size(), 1'200u) << "not much more than the ring";
  EXPECT_EQ(kept.time_ns.back(), time_ns_ - kSecond / 100);
  EXPECT_LE(kept.time_ns.front(), 90 * kSecond) << "all of the ring";
  const v1::Session& session = (*reader)->session();
  EXPECT_EQ(session.samples(), kept.size());
  EXPECT_EQ(session.loss().recorded(), 10'000u);
  EXPECT_EQ(session.loss().discarded(), 10'000u - kept.size());
  EXPECT_EQ(session.loss().lost(), 0u) << "what was dropped on purpose is no loss";
  EXPECT_EQ((*reader)->damaged_events(), 0u);
}

TEST_F(RingTest, CanBeReadWhileItTurns) {
  auto writer = create_ring(5);
  for (int round = 0; round < 20; ++round) {
    record(*writer, 3);
    auto reader = store().read("", self_);
    ASSERT_TRUE(reader) << reader.error().message;
    const v1::Session& session = (*reader)->session();
    EXPECT_EQ(read_all(**reader).size(), session.samples());
    EXPECT_EQ(session.samples() + session.loss().discarded(), session.loss().recorded());
    EXPECT_EQ(session.loss().recorded(), static_cast<uint64_t>(time_ns_ / (kSecond / 100)));
    EXPECT_EQ(session.loss().lost(), 0u);
  }
}

TEST_F(RingTest, TakesNoMoreRoomHoweverLongItTurns) {
  auto writer = create_ring(10);
  record(*writer, 1'000);
  const uint64_t soon = writer->session().bytes();
  record(*writer, 9'000);
  // Between two compactions what was removed still takes room.
  EXPECT_LT(writer->session().bytes(), 3 * soon);
  ASSERT_TRUE(writer->finish(v1::SESSION_STATE_COMPLETE));
}

TEST_F(RingTest, KeepsNoMoreSamplesThanAskedFor) {
  v1::RecordingConfig config;
  config.set_max_events(2'000);
  auto writer = create(config);
  record(*writer, 100);
  ASSERT_TRUE(writer->finish(v1::SESSION_STATE_COMPLETE));
  const auto reader = *store().read("", self_);
  const SampleColumns kept = read_all(*reader);
  EXPECT_GE(kept.size(), 1'200u);
  EXPECT_LE(kept.size(), 2'400u) << "one block and one write more";
  EXPECT_EQ(kept.time_ns.back(), time_ns_ - kSecond / 100) << "the oldest went";
  EXPECT_EQ(reader->session().samples(), kept.size());
  EXPECT_EQ(reader->session().loss().recorded(), 10'000u);
  EXPECT_EQ(reader->session().loss().discarded(), 10'000u - kept.size());
}

TEST_F(RingTest, TakesNoMoreRoomThanAskedFor) {
  v1::RecordingConfig config;
  config.set_max_bytes(300'000);
  config.set_max_events(1'000'000);
  auto writer = create(config);
  uint64_t largest = 0, samples = 0;
  // Times that do not repeat take some bytes each.
  for (int second = 0; second < 400; ++second) {
    for (int i = 0; i < 1'000; ++i, ++samples) {
      time_ns_ += 500'000 + static_cast<int64_t>((samples * 2654435761u >> 7) % 1'000'000);
      writer->add({time_ns_, thread_, StackId{}, LabelSetId{}, kSecond / 1'000, false});
    }
    writer->set_duration(time_ns_);
    ASSERT_TRUE(writer->sync());
    largest = std::max(largest, writer->session().bytes());
  }
  ASSERT_TRUE(writer->finish(v1::SESSION_STATE_COMPLETE));
  const auto reader = *store().read("", self_);
  EXPECT_GT(reader->session().loss().discarded(), 0u);
  EXPECT_EQ(reader->session().loss().discarded() + read_all(*reader).size(), samples);
  EXPECT_GT(read_all(*reader).size(), 30'000u) << "most of the room is used";
  EXPECT_LT(reader->session().bytes(), 400'000u);
}

TEST_F(RingTest, APackedRingIsTheSame) {
  auto writer = create_ring(10);
  record(*writer, 50);
  ASSERT_TRUE(writer->finish(v1::SESSION_STATE_COMPLETE));
  std::string packed;
  ASSERT_TRUE(store().pack("", self_, [&](std::string_view chunk) {
    packed += chunk;
    return Status();
  }));
  auto reader = Store::read_packed([&]() -> Result<std::string> { return std::exchange(packed, {}); });
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_EQ((*reader)->session().loss().recorded(), 5'000u);
  EXPECT_EQ((*reader)->session().loss().lost(), 0u);
  EXPECT_EQ(read_all(**reader).size(), (*reader)->session().samples());
}

TEST_F(RingTest, ASnapshotIsASessionOfItsOwn) {
  auto writer = create_ring(10);
  record(*writer, 50);
  const std::string ring = writer->session().id();
  auto snapshot = store().snapshot(ring, "frozen", self_, self_);
  ASSERT_TRUE(snapshot) << snapshot.error().message;
  EXPECT_NE(snapshot->id(), ring);
  EXPECT_EQ(snapshot->state(), v1::SESSION_STATE_COMPLETE);
  const SampleColumns frozen = read_all(**store().read("frozen", self_));
  EXPECT_GE(frozen.size(), 1'000u);
  EXPECT_LE(frozen.size(), 1'200u);
  record(*writer, 50);
  ASSERT_TRUE(writer->finish(v1::SESSION_STATE_COMPLETE));
  expect_equal(read_all(**store().read("frozen", self_)), frozen);
  EXPECT_EQ(store().find(ring, self_)->loss().recorded(), 10'000u) << "the recording went on";
}

TEST_F(RingTest, ASnapshotNeedsAProperNameAndASession) {
  auto writer = create_ring(10);
  EXPECT_EQ(store().snapshot("", "a/b", self_, self_).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(store().snapshot("nothing", "", self_, self_).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace pycroscope

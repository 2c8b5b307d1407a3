// A disk that runs full: a small tmpfs, for which root is needed.
#include <sys/mount.h>

#include <cerrno>
#include <cstring>

#include "tests/unit/daemon/store/fixtures.h"
#include "tests/unit/support/trace_program.h"

namespace pycroscope {
namespace {

class FullDiskTest : public StoreTest {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(directory_ / "store");
    mounted_ = ::mount("tmpfs", (directory_ / "store").c_str(), "tmpfs", 0, "size=8m") == 0;
    if (!mounted_) GTEST_SKIP() << "cannot mount a tmpfs (" << std::strerror(errno) << "): needs root";
  }
  void TearDown() override {
    if (mounted_) ::umount2((directory_ / "store").c_str(), MNT_DETACH);
  }
  bool mounted_ = false;
};

TEST_F(FullDiskTest, CountsWhatItDropsAndGoesOnWhenThereIsRoomAgain) {
  auto writer = create();
  SampledProgram program(Workload::kUniform, make_stacks(writer->symbols(), 500), make_thread(writer->symbols()));
  uint64_t happened = 0;
  auto record = [&](int count) {
    for (int i = 0; i < count; ++i, ++happened) writer->add(program.next());
    return writer->sync();
  };
  ASSERT_TRUE(record(1'000));
  {
    std::ofstream filler(directory_ / "store/filler", std::ios::binary);
    filler << std::string(size_t{16} << 20, 'x') << std::flush;
  }
  Status full = record(200'000);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::kNoSpace);
  EXPECT_EQ(full.error().message.find('\n'), std::string::npos);
  std::filesystem::remove(directory_ / "store/filler");
  Status again = record(1'000);
  EXPECT_TRUE(again) << again.error().message;
  Status finished = writer->finish(v1::SESSION_STATE_COMPLETE);
  ASSERT_TRUE(finished) << finished.error().message;

  auto reader = store().read("latest", self_);
  ASSERT_TRUE(reader) << reader.error().message;
  const v1::Loss& loss = (*reader)->session().loss();
  EXPECT_GT(loss.lost(), 0u);
  EXPECT_EQ(loss.by_reason(0).reason(), v1::LOSS_REASON_DISK_FULL);
  EXPECT_EQ(loss.recorded() + loss.lost(), happened);
  EXPECT_EQ(read_all(**reader).size(), loss.recorded());
  EXPECT_EQ((*reader)->damaged_events(), 0u);
}

// With room for a little more each time, so that the disk is full at each write of a trace and at each part of it.
TEST_F(FullDiskTest, WhereverATraceFillsItAllIsRecordedOrCounted) {
  constexpr size_t kStep = 16'384, kMost = size_t{1} << 20;
  uint64_t failures = 0;
  for (size_t room = 0; room < kMost; room += kStep) {
    auto writer = create();
    test::TraceProgram program(writer->symbols(), {.seed = room + 1, .slice_events = 10'000});
    SampledProgram sampled(Workload::kUniform, make_stacks(writer->symbols(), 20), make_thread(writer->symbols()));
    uint64_t happened = 0;
    const auto record = [&] {
      for (int slices = 0; slices < 10; ++slices) {
        int64_t to_ns = 0;
        const TraceColumns slice = program.slice(to_ns);
        writer->add_trace(slice, to_ns);
        writer->add(sampled.next());
        happened += slice.size() + 1;
        writer->set_duration(to_ns);
        failures += !writer->sync();
      }
    };
    record();
    const std::filesystem::path filler = directory_ / "store/filler";
    const size_t free = std::filesystem::space(directory_ / "store").available;
    std::ofstream(filler, std::ios::binary) << std::string(free > room ? free - room : 0, 'x') << std::flush;
    record();
    std::filesystem::remove(filler);
    record();
    const Status finished = writer->finish(v1::SESSION_STATE_COMPLETE);
    ASSERT_TRUE(finished) << finished.error().message;
    const auto reader = *store().read("latest", self_);
    const v1::Loss& loss = reader->session().loss();
    EXPECT_EQ(loss.recorded() + loss.lost(), happened) << room;
    TraceColumns events;
    for (const TraceBlockPlace& place : reader->trace_blocks()) events.append(*reader->trace_block(place));
    EXPECT_EQ(events.size() + read_all(*reader).size(), loss.recorded()) << room;
    EXPECT_EQ(reader->session().events(), loss.recorded()) << room;
    EXPECT_EQ(reader->damaged_events(), 0u) << room;
    // What is added up is of events that are there.
    for (const BucketPlace& bucket : reader->buckets(0)) {
      uint64_t there = 0;
      for (const TraceBlockPlace& block : reader->trace_blocks())
        if (block.number >= bucket.summary.first_block && block.number < bucket.summary.end_block)
          there += block.summary.count;
      EXPECT_EQ(bucket.summary.events, there) << room;
    }
    ASSERT_TRUE(store().remove(std::vector<std::string>{reader->session().id()}, self_));
  }
  EXPECT_GT(failures, 20u);
}

}  // namespace
}  // namespace pycroscope

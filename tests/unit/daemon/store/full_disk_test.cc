// A disk that runs full: a small tmpfs, for which root is needed.
#include <sys/mount.h>

#include <cerrno>
#include <cstring>

#include "tests/unit/daemon/store/fixtures.h"

namespace pycroscope {
namespace {

class FullDiskTest : public StoreTest {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(directory_ / "store");
    mounted_ = ::mount("tmpfs", (directory_ / "store").c_str(), "tmpfs", 0, "size=2m") == 0;
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
    filler << std::string(size_t{4} << 20, 'x') << std::flush;
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

}  // namespace
}  // namespace pycroscope

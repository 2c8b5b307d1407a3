#include "daemon/session/cancellable_reader.h"

#include <gtest/gtest.h>

#include "daemon/store/store.h"
#include "tests/unit/support/temporary_directory.h"

namespace pycroscope {
namespace {

class CancellableReaderTest : public testing::Test {
 protected:
  // A session of three blocks.
  CancellableReaderTest() {
    auto writer = store_.create({}, user_);
    const ThreadId thread = (*writer)->symbols().add_thread((*writer)->symbols().intern_process({}), 1, StringId{});
    for (int i = 0; i < 150'000; ++i) (*writer)->add({i * 1'000, thread, StackId{}, LabelSetId{}, 1'000, false});
    EXPECT_TRUE((*writer)->finish(v1::SESSION_STATE_COMPLETE));
  }
  std::unique_ptr<EventReader> reader(std::function<bool()> cancelled) {
    return make_cancellable(*store_.read("", user_), std::move(cancelled));
  }
  static size_t count(const EventReader& reader, Status& status) {
    size_t seen = 0;
    status = reader.samples({}, [&](const SampleColumns& samples) { seen += samples.size(); });
    return seen;
  }

  const StoreUser user_{::geteuid(), ::getegid()};
  test::TemporaryDirectory directory_;
  Store store_ = *Store::open(directory_.path() / "store");
};

TEST_F(CancellableReaderTest, ReadsAllWhenNobodyCancels) {
  Status status;
  const auto all = reader([] { return false; });
  EXPECT_EQ(count(*all, status), 150'000U);
  EXPECT_TRUE(status);
  EXPECT_EQ(all->block_count(), 3U);
  EXPECT_GT(all->block(0, {}).size(), 0U);
  EXPECT_EQ(all->session().samples(), 150'000U);
}

TEST_F(CancellableReaderTest, StopsAtTheNextBlock) {
  Status status;
  int asked = 0;
  const auto some = reader([&] { return ++asked > 1; });
  const size_t seen = count(*some, status);
  EXPECT_GT(seen, 0U);
  EXPECT_LT(seen, 150'000U);
  EXPECT_FALSE(status) << "a part must not pass for the whole";
  EXPECT_EQ(some->block(1, {}).size(), 0U);
}

}  // namespace
}  // namespace pycroscope

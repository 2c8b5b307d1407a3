// A disk that keeps whoever writes waiting.
#include <future>
#include <memory>
#include <utility>

#include "daemon/store/catalog.h"
#include "daemon/store/draft.h"
#include "daemon/store/keys.h"
#include "daemon/store/writer.h"
#include "tests/unit/daemon/store/fixtures.h"

namespace pycroscope {
namespace {

// Lets nothing through until it is told to.
class SlowDatabase : public DatabaseWriter {
 public:
  SlowDatabase(std::unique_ptr<DatabaseWriter> database, std::shared_future<void> ready)
      : database_(std::move(database)), ready_(std::move(ready)) {}
  Status write(std::span<const KeyValue> entries, bool sync) override {
    ready_.wait();
    return database_->write(entries, sync);
  }
  Status replace(std::span<const std::string> keys, const KeyValue& entry, bool reclaim) override {
    ready_.wait();
    return database_->replace(keys, entry, reclaim);
  }
  Status close() override { return database_->close(); }

 private:
  std::unique_ptr<DatabaseWriter> database_;
  std::shared_future<void> ready_;
};

class SlowDiskTest : public StoreTest {
 protected:
  SlowDiskTest() {
    static_cast<void>(store());
    const auto catalog = Catalog::open(directory_ / "store");
    auto draft = Draft::start(*catalog, self_);
    EXPECT_TRUE(draft && draft->publish(session_));
    auto database = std::make_unique<SlowDatabase>(draft->take_database(), disk_.get_future().share());
    writer_ = make_writer(session_, draft->take_directory(), std::move(database), self_);
    program_.emplace(Workload::kUniform, make_stacks(writer_->symbols(), 50), make_thread(writer_->symbols()));
  }

  void record(size_t count) {
    for (size_t i = 0; i < count; ++i)
      samples_.push_back(program_->next()), writer_->add(samples_.at(samples_.size() - 1));
  }

  v1::Session session_;
  std::promise<void> disk_;
  std::unique_ptr<SessionWriter> writer_;
  std::optional<SampledProgram> program_;
  SampleColumns samples_;
};

TEST_F(SlowDiskTest, KeepsNobodyWaiting) {
  record(100);
  EXPECT_TRUE(writer_->settled());
  ASSERT_TRUE(writer_->sync_soon());
  // All of this would wait for ever if it waited for the disk.
  EXPECT_FALSE(writer_->settled());
  record(100);
  ASSERT_TRUE(writer_->add_source(writer_->symbols().intern_file(writer_->symbols().intern_string("/a.py")), "1\n"));
  ASSERT_TRUE(writer_->sync_soon());
  record(1000);
  EXPECT_FALSE(writer_->settled());

  disk_.set_value();
  ASSERT_TRUE(writer_->sync());
  EXPECT_TRUE(writer_->settled());
  EXPECT_EQ(writer_->session().loss().recorded(), samples_.size());
  ASSERT_TRUE(writer_->finish(v1::SESSION_STATE_COMPLETE));
  auto reader = store().read("latest", self_);
  ASSERT_TRUE(reader) << reader.error().message;
  expect_equal(read_all(**reader), in_whole_microseconds(samples_));
  EXPECT_EQ((*reader)->session().loss().recorded(), samples_.size());
}

TEST_F(SlowDiskTest, ABlockThatFillsUpGoesOnInTheNext) {
  record(10);
  ASSERT_TRUE(writer_->sync_soon());
  record(kMaxBlockSamples - 11);
  disk_.set_value();
  record(3 * kMaxBlockSamples);
  ASSERT_TRUE(writer_->finish(v1::SESSION_STATE_COMPLETE));
  auto reader = store().read("latest", self_);
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_EQ((*reader)->block_count(), 4U);
  expect_equal(read_all(**reader), in_whole_microseconds(samples_));
}

}  // namespace
}  // namespace pycroscope

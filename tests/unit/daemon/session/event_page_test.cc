#include "daemon/session/event_page.h"

#include "daemon/store/keys.h"
#include "daemon/store/reader.h"
#include "tests/unit/daemon/store/fixtures.h"

namespace pycroscope {
namespace {

// A database that counts the blocks of samples that are read from it.
class CountingDatabase final : public DatabaseReader {
 public:
  CountingDatabase(std::unique_ptr<DatabaseReader> database, size_t& blocks)
      : database_(std::move(database)), blocks_(blocks) {}
  Result<std::string> get(std::string_view key) const override {
    blocks_ += key.starts_with(static_cast<char>(KeyKind::kBlock)) ? 1 : 0;
    return database_->get(key);
  }
  Status scan(std::string_view prefix,
              const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    return database_->scan(prefix, visit);
  }

 private:
  std::unique_ptr<DatabaseReader> database_;
  size_t& blocks_;
};

class EventPageTest : public StoreTest {
 protected:
  // Two threads whose samples come in turns.
  void add(SessionWriter& writer, int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i)
      writer.add({i * 1'000, threads_[static_cast<size_t>(i % 2)], stacks_[static_cast<size_t>(i) % stacks_.size()],
                  LabelSetId{}, 1'000, false});
  }
  std::unique_ptr<SessionWriter> start() {
    auto writer = create();
    stacks_ = make_stacks(writer->symbols(), 20);
    const ProcessId process = writer->symbols().intern_process({1, writer->symbols().intern_string("python")});
    for (const int32_t tid : {1, 2})
      threads_.push_back(writer->symbols().add_thread(process, tid, writer->symbols().intern_string("t")));
    return writer;
  }
  std::unique_ptr<EventReader> open() {
    v1::Session session = *store().find("latest", self_);
    auto database = open_database(session_path(session.id()) / "db");
    return *make_reader(std::move(session), std::make_unique<CountingDatabase>(*std::move(database), block_reads_));
  }
  // As a client of the service does: each page with a reader of its own.
  v1::EventPage next_page(v1::ListEventsRequest& request) {
    const Result<v1::EventPage> page = event_page(*open(), request);
    EXPECT_TRUE(page) << page.error().message;
    request.set_cursor(page->next_cursor());
    return *page;
  }
  std::vector<int64_t> all_times(v1::ListEventsRequest request) {
    std::vector<int64_t> times;
    pages_ = 0;
    block_reads_ = 0;
    do {
      const v1::EventPage page = next_page(request);
      times.insert(times.end(), page.time_ns().begin(), page.time_ns().end());
      ++pages_;
    } while (!request.cursor().empty());
    return times;
  }
  static std::vector<int64_t> every(int64_t from, int64_t to, int64_t step) {
    std::vector<int64_t> times;
    for (int64_t i = from; i < to; i += step) times.push_back(i * 1'000);
    return times;
  }

  std::vector<StackId> stacks_;
  std::vector<ThreadId> threads_;
  size_t block_reads_ = 0, pages_ = 0;
};

TEST_F(EventPageTest, AMillionEventsTakeReadsInProportionToTheirPages) {
  constexpr int64_t kEvents = 1'000'000;
  auto writer = start();
  add(*writer, 0, kEvents);
  ASSERT_TRUE(writer->finish(v1::SESSION_STATE_COMPLETE));
  const size_t blocks = open()->block_count();
  ASSERT_GT(blocks, 10U);

  v1::ListEventsRequest request;
  EXPECT_EQ(all_times(request), every(0, kEvents, 1));
  EXPECT_EQ(pages_, size_t{kEvents} / kDefaultPage);
  // Each page reads the block that it begins in and those that it goes on to.
  EXPECT_LE(block_reads_, pages_ + blocks);
}

TEST_F(EventPageTest, FilteredPagesHoldWhatPassesAndNoPageIsEmpty) {
  auto writer = start();
  add(*writer, 0, 200'000);
  ASSERT_TRUE(writer->finish(v1::SESSION_STATE_COMPLETE));
  v1::ListEventsRequest request;
  request.set_page_size(1'000);
  request.mutable_filter()->add_threads("2");
  request.mutable_filter()->set_from_ns(150'000'000);
  EXPECT_EQ(all_times(request), every(150'001, 200'000, 2));
  EXPECT_EQ(pages_, 25U) << "the last full page says that it is the last";
  request.mutable_filter()->set_from_ns(0);
  request.mutable_filter()->set_to_ns(2'000);
  EXPECT_EQ(all_times(request), (std::vector<int64_t>{1'000}));
  EXPECT_EQ(block_reads_, 1U) << "blocks without samples in range are not read";
}

TEST_F(EventPageTest, CursorsStayRightWhileTheSessionGrows) {
  auto writer = start();
  add(*writer, 0, 1'500);
  ASSERT_TRUE(writer->sync());
  v1::ListEventsRequest request;
  request.set_page_size(1'000);
  const v1::EventPage first = next_page(request);
  EXPECT_EQ(first.time_ns_size(), 1'000);
  add(*writer, 1'500, 100'000);
  ASSERT_TRUE(writer->sync());
  request.set_page_size(kMaxPage);
  const v1::EventPage rest = next_page(request);
  EXPECT_EQ(std::vector<int64_t>(rest.time_ns().begin(), rest.time_ns().end()), every(1'000, 100'000, 1));
  EXPECT_TRUE(request.cursor().empty());
}

TEST_F(EventPageTest, CursorsThatNobodyGaveOutAreRefusedOrBeyondTheEnd) {
  auto writer = start();
  add(*writer, 0, 10);
  ASSERT_TRUE(writer->finish(v1::SESSION_STATE_COMPLETE));
  v1::ListEventsRequest request;
  for (const char* cursor : {"x", "1", ".", "1.", ".1", "-1.0", "0.0.0", "0.99999999999"}) {
    request.set_cursor(cursor);
    EXPECT_EQ(event_page(*open(), request).error().code, ErrorCode::kInvalid) << cursor;
  }
  for (const char* cursor : {"0.10", "7.0", "4294967295.4294967295"}) {
    request.set_cursor(cursor);
    const auto page = event_page(*open(), request);
    ASSERT_TRUE(page) << cursor;
    EXPECT_EQ(page->time_ns_size(), 0);
  }
}

}  // namespace
}  // namespace pycroscope

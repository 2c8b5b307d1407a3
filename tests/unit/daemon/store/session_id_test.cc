#include "daemon/store/session_id.h"

#include <gtest/gtest.h>

#include "tests/unit/daemon/store/fixtures.h"

namespace pycroscope {
namespace {

google::protobuf::Timestamp at(int64_t seconds, int32_t nanos) {
  google::protobuf::Timestamp time;
  time.set_seconds(seconds);
  time.set_nanos(nanos);
  return time;
}

constexpr int64_t kNoon = 1'700'000'000;

TEST(SessionId, SortsByTime) {
  EXPECT_LT(new_session_id(at(kNoon, 0)), new_session_id(at(kNoon, 1'000'000)));
  EXPECT_LT(new_session_id(at(kNoon, 999'999'999)), new_session_id(at(kNoon + 1, 0)));
  EXPECT_TRUE(is_session_id(new_session_id(at(kNoon, 999'999'999))));
}

TEST(SessionId, ComesAfterTheNewestThoughTheClockWasSetBack) {
  std::string newest = new_session_id(at(kNoon + 86'400, 999'999'999));
  for (int i = 0; i < 10'000; ++i) {
    const std::string next = next_session_id(at(kNoon, 0), newest);
    ASSERT_TRUE(is_session_id(next));
    ASSERT_GT(next, newest);
    newest = next;
  }
  // In ten thousand ticks of 1/4096 s the time has hardly advanced.
  EXPECT_LT(newest, new_session_id(at(kNoon + 86'400 + 5, 0)));
}

TEST(SessionId, IsOfItsOwnTimeOtherwise) {
  const std::string before = new_session_id(at(kNoon - 1, 0));
  for (const std::string& newest : {std::string(), before, std::string("99991231-235959-ffffff")}) {
    const std::string id = next_session_id(at(kNoon, 0), newest);
    EXPECT_EQ(id.substr(0, 18), new_session_id(at(kNoon, 0)).substr(0, 18)) << newest;
  }
}

class SetBackTest : public StoreTest {};

TEST_F(SetBackTest, TheLatestIsWhatWasRecordedLast) {
  ASSERT_TRUE(create("first")->finish(v1::SESSION_STATE_COMPLETE));
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const std::string ahead = new_session_id(at(now.tv_sec + 86'400, 0));
  std::filesystem::rename(session_path(store().find("first", self_)->id()), session_path(ahead));
  ASSERT_TRUE(create("second")->finish(v1::SESSION_STATE_COMPLETE));
  EXPECT_EQ(store().find("latest", self_)->name(), "second");
}

}  // namespace
}  // namespace pycroscope

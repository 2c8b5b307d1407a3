#include "client/cli/top_model.h"

#include <gtest/gtest.h>

#include "tests/unit/client/cli/view_of.h"

namespace pycroscope {
namespace {

v1::RecordingUpdate interval(std::string_view samples, int64_t duration_ms) {
  v1::RecordingUpdate update;
  update.mutable_session()->set_duration_ns(duration_ms * 1'000'000);
  *update.mutable_top_functions() = test::view_of(samples, v1::VIEW_KIND_FUNCTIONS);
  *update.mutable_top_lines() = test::view_of(samples, v1::VIEW_KIND_LINES);
  *update.mutable_top_threads() = test::view_of(samples, v1::VIEW_KIND_THREADS);
  return update;
}

constexpr char kFirst[] =
    "thread 7 Main\n"
    "0 7 30000 main (/app/main.py:10);hot (/app/hot.py:20)\n"
    "30000 7 10000 main (/app/main.py:11)\n";
constexpr char kSecond[] =
    "thread 7 Main\nthread 8 Worker\n"
    "0 7 20000 main (/app/main.py:10);hot (/app/hot.py:20)\n"
    "20000 8 60000 main (/app/main.py:12);Cold (/lib/cold.py:5)\n";

TEST(TopModel, ShowsTheLastIntervalBesideTheSums) {
  TopModel model;
  model.add(interval(kFirst, 100));
  model.add(interval(kSecond, 250));
  EXPECT_EQ(model.interval_samples(), 2u);
  EXPECT_EQ(model.interval_ns(), 150'000'000);
  EXPECT_EQ(model.table(TopView::kFunctions, TopSort::kSelfNow, "").text(0),
            "SELF NOW  TOTAL NOW     SELF    TOTAL  FUNCTION  WHERE\n"
            "  75.0 %     75.0 %  60.0 ms  60.0 ms  Cold      /lib/cold.py:1\n"
            "  25.0 %     25.0 %  50.0 ms  50.0 ms  hot       /app/hot.py:1\n"
            "   0.0 %    100.0 %  10.0 ms   120 ms  main      /app/main.py:1\n");
  EXPECT_EQ(model.table(TopView::kThreads, TopSort::kSelfNow, "").text(0),
            "   NOW   ON CPU  THREAD  ID\n"
            "75.0 %  60.0 ms  Worker  8\n"
            "25.0 %  60.0 ms  Main    7\n");
}

TEST(TopModel, UpdatesWithoutFiguresKeepThePicture) {
  TopModel model;
  model.add(interval(kFirst, 100));
  const std::string before = model.table(TopView::kLines, TopSort::kSelf, "").text(0);
  v1::RecordingUpdate progress;
  progress.mutable_session()->set_duration_ns(200'000'000);
  model.add(progress);
  EXPECT_EQ(model.table(TopView::kLines, TopSort::kSelf, "").text(0), before);
  EXPECT_EQ(model.session().duration_ns(), 200'000'000);
}

TEST(TopModel, FiltersByNameAndPlaceInEitherCase) {
  TopModel model;
  model.add(interval(kSecond, 100));
  const auto rows = [&](std::string_view filter) {
    return model.table(TopView::kFunctions, TopSort::kSelf, filter).lines(0).size() - 1;
  };
  EXPECT_EQ(rows(""), 3u);
  EXPECT_EQ(rows("cOLD"), 1u);
  EXPECT_EQ(rows("/app/"), 2u);
  EXPECT_EQ(rows("nothing"), 0u);
}

TEST(TopModel, EachSortPutsItsLargestFirst) {
  TopModel model;
  model.add(interval(kFirst, 100));
  model.add(interval(kSecond, 200));
  const auto first = [&](TopSort sort) {
    const std::string line = model.table(TopView::kFunctions, sort, "").lines(0).at(1);
    return line.substr(line.rfind('/') + 1);
  };
  EXPECT_EQ(first(TopSort::kSelfNow), "cold.py:1");
  EXPECT_EQ(first(TopSort::kTotalNow), "main.py:1");
  EXPECT_EQ(first(TopSort::kSelf), "cold.py:1");
  EXPECT_EQ(first(TopSort::kTotal), "main.py:1");
  EXPECT_EQ(next_top_sort(TopSort::kTotal, 1), TopSort::kSelfNow);
  EXPECT_EQ(next_top_sort(TopSort::kSelfNow, -1), TopSort::kTotal);
}

TEST(TopModel, NarrowTablesKeepTheNamesAndWhatTheyAreSortedBy) {
  TopModel model;
  model.add(interval(kFirst, 100));
  const auto titles = [&](TopSort sort, size_t width) {
    return model.table(TopView::kFunctions, sort, "").lines(width).front();
  };
  EXPECT_EQ(titles(TopSort::kSelfNow, 24), "SELF NOW  FUNCTION");
  EXPECT_EQ(titles(TopSort::kTotal, 20), "  TOTAL  FUNCTION");
  EXPECT_EQ(titles(TopSort::kTotal, 5), "FUNCTION");
}

TEST(TopModel, ResetForgetsTheSums) {
  TopModel model;
  model.add(interval(kFirst, 100));
  model.reset();
  EXPECT_TRUE(model.table(TopView::kFunctions, TopSort::kSelf, "").empty());
}

}  // namespace
}  // namespace pycroscope

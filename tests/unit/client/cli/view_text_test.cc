// Views as people see them: of one process, of several, by thread and by label.
#include "client/cli/view_text.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

#include "analysis/passes/pass.h"
#include "tests/unit/support/memory_events.h"

namespace pycroscope {
namespace {

std::string text_of(v1::ViewKind kind, std::initializer_list<const char*> group_by) {
  test::MemoryEvents events;
  test::parse_events(events,
                     "process 100 python app.py\nthread 7 MainThread\nprocess 200 python worker.py\nthread 9\n"
                     "0 7 30000 {task=fetch} main (/a.py:2);get (/a.py:5)\n"
                     "10 9 10000 main (/a.py:2);put (/a.py:9)\n");
  v1::ViewRequest request;
  request.set_kind(kind);
  for (const char* key : group_by) request.add_group_by(key);
  Result<v1::View> view = compute_view(events, request);
  EXPECT_TRUE(view) << view.error().message;
  return "\n" + view_text(*view, 0);
}

TEST(ViewText, RowsSayTheirProcessWhereThereAreSeveral) {
  EXPECT_EQ(text_of(v1::VIEW_KIND_FUNCTIONS, {}), R"(
    PID    SELF    TOTAL  SELF TIME  TOTAL TIME  SAMPLES  FUNCTION  WHERE
    100  75.0 %   75.0 %    30.0 ms     30.0 ms        1  get       /a.py:1
    200  25.0 %   25.0 %    10.0 ms     10.0 ms        1  put       /a.py:1
several   0.0 %  100.0 %        0 s     40.0 ms        2  main      /a.py:1
)");
}

// A function that is called three times and runs two lines each time, 1 ms apart.
std::string traced_text_of(v1::ViewKind kind) {
  test::MemoryEvents events;
  events.mutable_session().mutable_config()->add_trace("call");
  events.mutable_session().mutable_config()->add_trace("line");
  Symbols& symbols = events.mutable_symbols();
  const ProcessId process = symbols.intern_process({.pid = 100, .command = symbols.intern_string("python app.py")});
  const ThreadId thread = symbols.add_thread(process, 7, symbols.intern_string("MainThread"));
  const FileId file = symbols.intern_file(symbols.intern_string("/a.py"));
  const FunctionId get = symbols.intern_function({.name = symbols.intern_string("get"), .file = file, .first_line = 1});
  TraceColumns slice;
  slice.runs.push_back({thread, StackId{}, LabelSetId{}, 0});
  int64_t time_ns = 0;
  const auto add = [&](TraceType type, uint32_t id) {
    slice.push_back({.time_ns = time_ns += 1'000'000, .type = type, .id = id});
  };
  for (int call = 0; call < 3; ++call) {
    add(TraceType::kCall, index(get));
    for (const uint32_t line : {2u, 3u}) add(TraceType::kLine, index(symbols.intern_location({get, line, -1})));
    add(TraceType::kReturn, index(get));
  }
  events.add_trace(slice, time_ns);
  v1::ViewRequest request;
  request.set_kind(kind);
  Result<v1::View> view = compute_view(events, request);
  EXPECT_TRUE(view) << view.error().message;
  return "\n" + view_text(*view, 0);
}

TEST(ViewText, OfATraceItCountsCallsAndHits) {
  EXPECT_EQ(traced_text_of(v1::VIEW_KIND_FUNCTIONS), R"(
  SELF   TOTAL  SELF TIME  TOTAL TIME  CALLS  FUNCTION  WHERE
81.8 %  81.8 %    9.00 ms     9.00 ms      3  get       /a.py:1
)");
  EXPECT_EQ(traced_text_of(v1::VIEW_KIND_LINES), R"(
  SELF   TOTAL  SELF TIME  TOTAL TIME  HITS  LINE     FUNCTION
27.3 %  27.3 %    3.00 ms     3.00 ms     0  /a.py:1  get
27.3 %  27.3 %    3.00 ms     3.00 ms     3  /a.py:2  get
27.3 %  27.3 %    3.00 ms     3.00 ms     3  /a.py:3  get
)");
}

TEST(ViewText, WhatRowsAreGroupedByStandsFirst) {
  EXPECT_EQ(text_of(v1::VIEW_KIND_LINES, {"thread", "task"}), R"(
PID  THREAD      TASK     SELF   TOTAL  SELF TIME  TOTAL TIME  SAMPLES  LINE     FUNCTION
100  MainThread  fetch  75.0 %  75.0 %    30.0 ms     30.0 ms        1  /a.py:5  get
200  thread 9           25.0 %  25.0 %    10.0 ms     10.0 ms        1  /a.py:9  put
100  MainThread  fetch   0.0 %  75.0 %        0 s     30.0 ms        1  /a.py:2  main
200  thread 9            0.0 %  25.0 %        0 s     10.0 ms        1  /a.py:2  main
)");
}

TEST(ViewText, ATableOfThreadsHasItsOwnColumnsOfThese) {
  EXPECT_EQ(text_of(v1::VIEW_KIND_THREADS, {"process", "task"}), R"(
TASK   PID  THREAD   SHARE   ON CPU  SAMPLES  NAME
fetch  100       7  75.0 %  30.0 ms        1  MainThread
       200       9  25.0 %  10.0 ms        1
)");
}

TEST(ViewText, ATreeHasItsProcessesFirst) {
  EXPECT_EQ(text_of(v1::VIEW_KIND_TREE, {}), R"(
  TOTAL     SELF  FUNCTION
100.0 %           all
 75.0 %           ├─ process 100: python app.py
 75.0 %           │  ╰ main (/a.py:2)
 75.0 %   75.0 %  │  ╰ get (/a.py:5)
 25.0 %           └─ process 200: python worker.py
 25.0 %              ╰ main (/a.py:2)
 25.0 %   25.0 %     ╰ put (/a.py:9)
)");
}

TEST(ViewText, AMergedTreeSaysWhereAProcessIsAlone) {
  EXPECT_EQ(text_of(v1::VIEW_KIND_TREE, {"none"}), R"(
  TOTAL     SELF  FUNCTION
100.0 %           all
100.0 %           └─ main (/a.py:2)
 75.0 %   75.0 %     ├─ get (/a.py:5) [process 100]
 25.0 %   25.0 %     └─ put (/a.py:9) [process 200]
)");
}

}  // namespace
}  // namespace pycroscope

// Sessions at the edges: stacks deeper than any thread's own stack could recurse over, and very many of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/passes/pass.h"
#include "analysis/passes/rows.h"
#include "tests/unit/support/memory_events.h"

namespace pycroscope {
namespace {

class Limits : public testing::Test {
 protected:
  Limits() {
    Symbols& s = events_.mutable_symbols();
    thread_ = s.add_thread(s.intern_process({1, s.intern_string("python x.py")}), 1, s.intern_string(""));
  }

  LocationId location(uint32_t function, uint32_t line) {
    Symbols& s = events_.mutable_symbols();
    FileId file = s.intern_file(s.intern_string("/a.py"));
    return s.intern_location({s.intern_function({s.intern_string("f" + std::to_string(function)), file, 1}), line, -1});
  }

  void add(StackId stack) { events_.add({.time_ns = 0, .thread = thread_, .stack = stack, .weight_ns = 10}); }

  v1::View compute(v1::ViewKind kind, uint32_t max_nodes = 0) {
    v1::ViewRequest request;
    request.set_kind(kind);
    request.mutable_tree()->set_max_nodes(max_nodes);
    Result<v1::View> view = compute_view(events_, request);
    EXPECT_TRUE(view) << view.error().message;
    return *view;
  }

  test::MemoryEvents events_;
  ThreadId thread_{};
};

TEST_F(Limits, DeepStacks) {
  constexpr uint32_t kDepth = 200'000;
  StackId stack{};
  for (uint32_t i = 0; i < kDepth; ++i) stack = events_.mutable_symbols().intern_stack(stack, location(i % 3, 1));
  add(stack);
  EXPECT_EQ(row_count(compute(v1::VIEW_KIND_TREE)), static_cast<int>(kDepth + 1));
  v1::View functions = compute(v1::VIEW_KIND_FUNCTIONS);
  ASSERT_EQ(row_count(functions), 3);
  EXPECT_THAT(functions.functions().samples(), testing::Each(1));
  EXPECT_EQ(row_count(compute(v1::VIEW_KIND_CALLEES)), 3);
}

TEST_F(Limits, ManyStacks) {
  constexpr uint32_t kStacks = 300'000;
  Symbols& symbols = events_.mutable_symbols();
  for (uint32_t i = 0; i < kStacks; ++i) {
    StackId caller = symbols.intern_stack({}, location(0, i % 500));
    add(symbols.intern_stack(caller, location(1 + i % 7, i)));
  }
  v1::View tree = compute(v1::VIEW_KIND_TREE, 1000);
  EXPECT_LE(row_count(tree), 1000);
  EXPECT_EQ(tree.header().total_rows(), 1 + 500 + kStacks);
  EXPECT_EQ(tree.tree().samples(0), kStacks);
  EXPECT_EQ(row_count(compute(v1::VIEW_KIND_LINES)), static_cast<int>(500 + kStacks));
}

TEST_F(Limits, ATreeOfNothingBelongsToNoProcess) {
  add(events_.mutable_symbols().intern_stack({}, location(1, 1)));
  events_.mutable_symbols().intern_process({2, events_.mutable_symbols().intern_string("python y.py")});
  v1::ViewRequest request;
  request.set_kind(v1::VIEW_KIND_TREE);
  request.add_group_by("none");
  request.mutable_filter()->set_function_regex("^no such function$");
  const Result<v1::View> view = compute_view(events_, request);
  ASSERT_TRUE(view) << view.error().message;
  EXPECT_THAT(view->tree().process(), testing::ElementsAre(0u));
}

TEST_F(Limits, DamagedSamplesAreLostAndNotRecorded) {
  add({});
  add({});
  add({});
  events_.set_damaged_events(2);
  const v1::View view = compute(v1::VIEW_KIND_FUNCTIONS);
  const v1::Loss& loss = view.header().loss();
  EXPECT_EQ(loss.recorded(), 1u);
  EXPECT_EQ(loss.lost(), 2u);
  ASSERT_EQ(loss.by_reason_size(), 1);
  EXPECT_EQ(loss.by_reason(0).reason(), v1::LOSS_REASON_CORRUPT_BLOCK);
}

}  // namespace
}  // namespace pycroscope

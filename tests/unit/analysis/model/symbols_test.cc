#include "analysis/model/symbols.h"

#include <gtest/gtest.h>

#include "analysis/model/loss.h"

namespace pycroscope {
namespace {

TEST(Symbols, InternsEachThingOnce) {
  Symbols symbols;
  StringId name = symbols.intern_string("f");
  EXPECT_EQ(symbols.intern_string("f"), name);
  EXPECT_EQ(symbols.string(name), "f");
  FileId file = symbols.intern_file(name);
  FunctionId function = symbols.intern_function({name, file, 3});
  EXPECT_EQ(symbols.intern_function({name, file, 3}), function);
  EXPECT_NE(symbols.intern_function({name, file, 4}), function);
  LocationId location = symbols.intern_location({function, 5, 2});
  StackId outer = symbols.intern_stack(StackId{}, location);
  EXPECT_EQ(symbols.intern_stack(StackId{}, location), outer);
  EXPECT_NE(symbols.intern_stack(outer, location), outer);
}

TEST(Symbols, StartsWithTheEmptyStringStackAndLabelSet) {
  Symbols symbols;
  EXPECT_EQ(symbols.intern_string(""), StringId{});
  EXPECT_EQ(symbols.intern_labels({}), LabelSetId{});
  EXPECT_EQ(symbols.mark().stacks, 1u);
}

TEST(Symbols, KeepsStringsWhereTheyAre) {
  Symbols symbols;
  std::string_view first = symbols.string(symbols.intern_string("first"));
  for (int i = 0; i < 20'000; ++i) symbols.intern_string("string number " + std::to_string(i));
  std::string large(size_t{1} << 20, 'x');
  EXPECT_EQ(symbols.string(symbols.intern_string(large)), large);
  EXPECT_EQ(first, "first");
  EXPECT_EQ(symbols.intern_string("first"), StringId{1});
}

TEST(Symbols, CountsRealRenamesOnly) {
  Symbols symbols;
  StringId old = symbols.intern_string("old");
  ThreadId thread = symbols.add_thread(symbols.intern_process({1, old}), 1, old);
  symbols.rename_thread(thread, old);
  EXPECT_EQ(symbols.thread_name_changes(), 0u);
  symbols.rename_thread(thread, symbols.intern_string("new"));
  EXPECT_EQ(symbols.thread_name_changes(), 1u);
}

TEST(Loss, IsTheSumOfItsReasons) {
  v1::Loss loss;
  add_loss(loss, v1::LOSS_REASON_RING_FULL, 2);
  add_loss(loss, v1::LOSS_REASON_DISK_FULL, 3);
  add_loss(loss, v1::LOSS_REASON_RING_FULL, 4);
  add_loss(loss, v1::LOSS_REASON_QUOTA, 0);
  EXPECT_EQ(loss.lost(), 9u);
  ASSERT_EQ(loss.by_reason_size(), 2);
  EXPECT_EQ(loss.by_reason(0).count(), 6u);
  EXPECT_EQ(loss_reason_name(v1::LOSS_REASON_RING_FULL), "ring_full");
}

}  // namespace
}  // namespace pycroscope

#include "daemon/store/symbol_codec.h"

#include "tests/unit/daemon/store/fixtures.h"

namespace pycroscope {
namespace {

TEST(SymbolCodec, DeltasAddUpAndEndWhenThereIsNothingNew) {
  Symbols written, read;
  SymbolsWritten stored;
  EXPECT_FALSE(stored.delta(written));
  for (unsigned round = 0; round < 5; ++round) {
    make_stacks(written, 20 * (round + 1), round);
    ThreadId thread = make_thread(written);
    if (round > 2) written.rename_thread(ThreadId{0}, written.intern_string("name " + std::to_string(round)));
    EXPECT_EQ(written.thread(thread).tid, 4711);
    std::optional<std::string> delta = stored.delta(written);
    ASSERT_TRUE(delta);
    stored.advance(written);
    EXPECT_FALSE(stored.delta(written));
    ASSERT_TRUE(apply_symbols(*delta, read));
    EXPECT_EQ(read.mark(), written.mark());
  }
  for (uint32_t i = 0; i < read.mark().stacks; ++i) EXPECT_EQ(read.stack(StackId{i}), written.stack(StackId{i}));
  EXPECT_EQ(read.string(read.thread(ThreadId{0}).name), "name 4");
}

TEST(SymbolCodec, RefusesADeltaOutOfOrderAndAnyCut) {
  Symbols written;
  make_stacks(written, 20);
  std::string delta = *SymbolsWritten().delta(written);
  Symbols read;
  ASSERT_TRUE(apply_symbols(delta, read));
  EXPECT_FALSE(apply_symbols(delta, read));
  for (size_t size = 0; size < delta.size(); ++size) {
    Symbols other;
    EXPECT_FALSE(apply_symbols(delta.substr(0, size), other)) << size;
  }
}

}  // namespace
}  // namespace pycroscope

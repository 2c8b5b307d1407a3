#include "daemon/store/tally_codec.h"

#include <gtest/gtest.h>

namespace pycroscope {
namespace {

constexpr uint64_t kMany = uint64_t{1} << 40;

// A program of one function that does everything more often than 32 bits can count.
struct Busy {
  Busy() {
    const ProcessId process = symbols.intern_process({.pid = 1, .command = {}});
    thread = symbols.add_thread(process, 1, {});
    const FileId file = symbols.intern_file(symbols.intern_string("/a.py"));
    const FunctionId f = symbols.intern_function({.name = symbols.intern_string("f"), .file = file, .first_line = 1});
    stack = symbols.intern_stack({}, symbols.intern_location({f, 1, -1}));
    type = symbols.intern_string("bytes");
  }
  TallyBucket bucket() const {
    TallyBucket bucket{.from_ns = 0, .to_ns = 1'000'000, .tally = Tally(), .states = {{thread, stack, {}}}};
    Tally& tally = bucket.tally;
    const uint32_t context = tally.context(thread, {}, symbols.thread(thread).process);
    tally.stack_at(tally.stack_row(context, stack)) = {.calls = kMany, .hits = kMany, .instructions = kMany, .ns = 9};
    tally.allocate(context, stack, type, kMany, 10);
    tally.free(context, stack, type, kMany / 2, false, 20);
    ObjectFigures& objects = tally.object(context, stack, type);
    objects.count = objects.bytes = objects.ended = objects.ended_bytes = objects.refcount_max = kMany;
    objects.lifetimes[lifetime_place(kMany)] = kMany;
    ExceptionFigures& exceptions = tally.exception(context, type, stack, 0);
    exceptions = {.raised = kMany, .unwound = kMany, .cost_ns = int64_t{1} << 40};
    tally.restore_events(TraceType::kCall, kMany);
    tally.settle();
    return bucket;
  }

  Symbols symbols;
  ThreadId thread{};
  StackId stack{};
  StringId type{};
};

void expect_counts(const Tally& tally, uint64_t times) {
  ASSERT_EQ(tally.stacks().size(), 1u);
  EXPECT_EQ(tally.stacks().at(0),
            (StackFigures{times * kMany, times * kMany, times * kMany, 9 * static_cast<int64_t>(times)}));
  ASSERT_EQ(tally.allocations().size(), 1u);
  EXPECT_EQ(tally.allocations().at(0).bytes, times * kMany);
  EXPECT_EQ(tally.allocations().at(0).freed_bytes, times * kMany / 2);
  // The second time begins with what the first has left.
  EXPECT_EQ(tally.processes().at(0).peak_bytes, static_cast<int64_t>(kMany + (times - 1) * kMany / 2));
  ASSERT_EQ(tally.objects().size(), 1u);
  EXPECT_EQ(tally.objects().at(0).ended_bytes, times * kMany);
  EXPECT_EQ(tally.objects().at(0).lifetimes.at(lifetime_place(kMany)), times * kMany);
  ASSERT_EQ(tally.exceptions().size(), 1u);
  EXPECT_EQ(tally.exceptions().at(0).cost_ns, static_cast<int64_t>(times * kMany));
  EXPECT_EQ(tally.events()[0], times * kMany);
}

TEST(TallyCodec, CountsBeyondThirtyTwoBits) {
  const Busy busy;
  auto decoded = decode_bucket(encode_bucket(busy.bucket()), busy.symbols.mark());
  ASSERT_TRUE(decoded);
  expect_counts(decoded->tally, 1);
  EXPECT_EQ(decoded->states, busy.bucket().states);
  decoded->tally.append(busy.bucket().tally);
  decoded->tally.settle();
  expect_counts(decoded->tally, 2);
  const auto again = decode_bucket(encode_bucket(*decoded), busy.symbols.mark());
  ASSERT_TRUE(again);
  expect_counts(again->tally, 2);
}

TEST(TallyCodec, RefusesWhatTheSessionDoesNotHave) {
  const Busy busy;
  Symbols::Mark known = busy.symbols.mark();
  EXPECT_TRUE(decode_bucket(encode_bucket(busy.bucket()), known));
  --known.stacks;
  EXPECT_FALSE(decode_bucket(encode_bucket(busy.bucket()), known));
}

}  // namespace
}  // namespace pycroscope

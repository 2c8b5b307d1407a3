#include "daemon/collect/trace_drain.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <random>

#include "daemon/os/clock.h"
#include "tests/unit/daemon/collect/memory_sink.h"
#include "tests/unit/support/ring.h"

namespace pycroscope {
namespace {

using test::Ring;

// Function 1 is f, location 1 its line 7.
void define_program(Ring& definitions) {
  definitions.define(1, "f");
  definitions.define(2, "/app/a.py");
  definitions.write(PYC_RING_FUNCTION, 0, 1, 1, {2, 5, 0, 0});
  definitions.write(PYC_RING_LOCATION, 0, 1, 1, {7, UINT64_MAX});
}

class TraceDrainTest : public testing::Test {
 protected:
  TraceDrainTest()
      : definitions_(1024),
        other_definitions_(1024),
        drain_(sink_, RingTime{.zero_ns = -1000}),
        process_(drain_.add_process(std::move(definitions_.reader))) {
    define_program(definitions_);
    define_program(other_definitions_);
    const ProcessId process = sink_.symbols().intern_process({7, {}, 0});
    for (int tid : {1, 2}) threads_.push_back(sink_.symbols().add_thread(process, tid, {}));
  }

  void add(Ring& ring, size_t thread) { drain_.add(threads_[thread], std::move(ring.reader), process_); }
  uint64_t lost() const { return sink_.lost(); }

  MemorySink sink_;
  Ring definitions_, other_definitions_;
  TraceDrain drain_;
  uint32_t process_;
  std::vector<ThreadId> threads_;
};

TEST_F(TraceDrainTest, GivesEventsTheSessionsIdsAndTimes) {
  Ring ring(64);
  add(ring, 0);
  ring.write(PYC_RING_CALL, 1100, 1);
  ring.write(PYC_RING_LINE, 1200, 1);
  ring.write(PYC_RING_RETURN, 1300, 1);
  EXPECT_EQ(drain_.drain(1300), 2u) << "what happens later than asked for waits";
  EXPECT_EQ(drain_.drain(2000), 1u);
  const TraceColumns& trace = sink_.trace();
  ASSERT_EQ(trace.size(), 3u);
  EXPECT_EQ(trace.time_ns, (std::vector<int64_t>{100, 200, 300}));
  EXPECT_EQ(trace.type, (std::vector{TraceType::kCall, TraceType::kLine, TraceType::kReturn}));
  EXPECT_EQ(sink_.symbols().location(LocationId{trace.id[1]}).line, 7u);
  EXPECT_EQ(trace.runs[1].stack, StackId{2}) << "the second slice begins in the line of the first one";
}

TEST_F(TraceDrainTest, KnowsWhatStoodOnTheStackBefore) {
  Ring ring(64);
  add(ring, 0);
  for (int i = 0; i < 3; ++i) ring.write(PYC_RING_STANDS, 1050, 1);
  ring.write(PYC_RING_RETURN, 1100, 1);
  ring.write(PYC_RING_STANDS, 1150, 1);  // too late
  EXPECT_EQ(drain_.drain(2000), 1u);
  ASSERT_EQ(sink_.trace().runs.size(), 1u);
  const Symbols& symbols = sink_.symbols();
  size_t depth = 0;
  for (StackId at = sink_.trace().runs[0].stack; at != StackId{}; at = symbols.stack(at).parent) ++depth;
  EXPECT_EQ(depth, 3u);
  EXPECT_EQ(sink_.trace().runs[0].count, 1u);
  EXPECT_EQ(lost(), 1u);
}

TEST_F(TraceDrainTest, PutsAFreeToItsAllocationOfAnotherThread) {
  Ring a(64), b(64);
  add(a, 0);
  add(b, 1);
  a.write(PYC_RING_CALL, 1010, 1);
  a.write(PYC_RING_ALLOCATION, 1020, 1, 0, {0x1000, 48});
  b.write(PYC_RING_FREE, 1030, 0, 0, {0x1000, 0});
  b.write(PYC_RING_FREE, 1040, 0, 0, {0x2000, 0});
  drain_.drain(2000);
  const TraceColumns& trace = sink_.trace();
  ASSERT_EQ(trace.size(), 4u);
  const auto free = std::span(trace.arguments).subspan(2, 6);
  EXPECT_EQ(free[1], 48u);
  EXPECT_EQ(free[2], 1u) << "the stack of the allocation";
  EXPECT_EQ(free[3], index(threads_[0]));
  EXPECT_EQ(free[5], 0u) << "freed by a thread that did not allocate it last";
  EXPECT_EQ(trace.arguments[8 + 5], kUnknownBlock);
}

TEST_F(TraceDrainTest, SaysWhereAnExceptionWasRaisedAndCaught) {
  Ring ring(64);
  add(ring, 0);
  for (uint64_t time : {1010, 1020, 1030}) ring.write(PYC_RING_CALL, time, 1);
  ring.write(PYC_RING_RAISE, 1040, 1, 77, {0, 0});
  ring.write(PYC_RING_UNWIND, 1050, 1);
  ring.write(PYC_RING_UNWIND, 1060, 1);
  ring.write(PYC_RING_CAUGHT, 1070, 1, 77, {2, 0});
  ring.write(PYC_RING_RETURN, 1090, 1);
  drain_.drain(2000);
  const TraceColumns& trace = sink_.trace();
  ASSERT_EQ(trace.type[trace.size() - 2], TraceType::kException);
  EXPECT_EQ(trace.arguments, (std::vector<uint64_t>{3, 1, 2, 30}));
}

TEST_F(TraceDrainTest, AnExceptionIsCaughtWhereNoHandlerLetsItGoOn) {
  constexpr uint32_t kFirst = 5, kSecond = 6, kThird = 7;
  Ring ring(64);
  add(ring, 0);
  for (uint64_t time : {1010, 1020}) ring.write(PYC_RING_CALL, time, 1);
  ring.write(PYC_RING_RAISE, 1040, 1, kFirst, {0, 0});
  ring.write(PYC_RING_CAUGHT, 1050, 1, kFirst, {0, 0});
  ring.write(PYC_RING_RAISE, 1051, 2, kSecond, {0, 0});  // in the handler
  ring.write(PYC_RING_CAUGHT, 1052, 1, kSecond, {0, 0});
  ring.write(PYC_RING_RERAISE, 1060, 0, kFirst);
  ring.write(PYC_RING_UNWIND, 1070, 1);
  ring.write(PYC_RING_RAISE, 1100, 1, kThird, {0, 0});
  ring.write(PYC_RING_THREAD_END, 1110, 0);
  drain_.drain(2000);
  const TraceColumns& trace = sink_.trace();
  EXPECT_EQ(std::ranges::count(trace.type, TraceType::kException), 3);
  // The second was caught; the first went on, to nobody; then the thread ended.
  EXPECT_EQ(trace.arguments, (std::vector<uint64_t>{2, 1, 0, 1, 2, 0, 1, 30, 1, 0, 0, 0}));
}

TEST_F(TraceDrainTest, WithoutCallsWhatHasAPlaceTellsItsStack) {
  TraceDrain drain(sink_, RingTime{.zero_ns = -1000, .ns_a_tick = 2}, false);
  const uint32_t process = drain.add_process(std::move(other_definitions_.reader));
  Ring ring(64);
  drain.add(threads_[0], std::move(ring.reader), process);
  ring.write(PYC_RING_THREAD_START, 1000, 0);
  ring.write(PYC_RING_LINE, 1010, 1);
  ring.write(PYC_RING_STANDS, 1020, 1, PYC_RING_STANDS_FIRST);
  ring.write(PYC_RING_STANDS, 1020, 1, PYC_RING_STANDS_NEXT);
  ring.write(PYC_RING_GC, 1020, 2, 0, {5, 6, 7, 0});
  ring.write(PYC_RING_LINE, 1030, 1);
  drain.drain(2000);
  const TraceColumns& trace = sink_.trace();
  EXPECT_EQ(trace.time_ns, (std::vector<int64_t>{1000, 1020, 1040, 1060}));
  EXPECT_EQ(trace.arguments, (std::vector<uint64_t>{10, 6, 7}));
  const auto depth = [&](const TraceRun& run) {
    int frames = 0;
    for (StackId at = run.stack; index(at) != 0; at = sink_.symbols().stack(at).parent) ++frames;
    return frames;
  };
  ASSERT_EQ(trace.runs.size(), 3u);
  EXPECT_EQ(depth(trace.runs[0]), 0);
  EXPECT_EQ(depth(trace.runs[1]), 2);
  EXPECT_EQ(depth(trace.runs[2]), 0) << "a line stands alone";
}

TEST_F(TraceDrainTest, WhatComesLateHasTheTimeOfWhatWasHandedOn) {
  Ring a(64), b(64);
  add(a, 0);
  add(b, 1);
  a.write(PYC_RING_CALL, 1500, 1);
  drain_.drain(1600);
  b.write(PYC_RING_CALL, 1400, 1);
  drain_.drain(2000);
  EXPECT_EQ(sink_.trace().time_ns, (std::vector<int64_t>{500, 600}));
}

TEST_F(TraceDrainTest, CountsEventsOfWhatWasNeverDefined) {
  Ring ring(64);
  add(ring, 0);
  ring.write(PYC_RING_CALL, 1010, 999);
  ring.write(PYC_RING_LINE, 1020, 999);
  EXPECT_EQ(drain_.drain(2000), 0u);
  EXPECT_EQ(lost(), 2u);
}

TEST_F(TraceDrainTest, CountsWhatAFullRingDrops) {
  Ring ring(64);
  add(ring, 0);
  for (uint64_t i = 0; i < 100; ++i) ring.write(PYC_RING_CALL, 1010 + i, 1);
  EXPECT_EQ(drain_.drain(2000), 64u);
  EXPECT_EQ(lost(), 36u);
}

TEST_F(TraceDrainTest, ReadsNoFurtherWhatMakesNoSense) {
  for (const auto& bend : std::vector<std::function<void(pyc_ring&)>>{
           [](pyc_ring& r) { r.head = 1u << 20; }, [](pyc_ring& r) { r.head = UINT64_MAX; },
           [](pyc_ring& r) {
             *reinterpret_cast<uint64_t*>(reinterpret_cast<char*>(&r) + PYC_RING_SLOTS_AT) = 200;  // no such type
             r.head = 1;
           },
           [](pyc_ring& r) {
             *reinterpret_cast<uint64_t*>(reinterpret_cast<char*>(&r) + PYC_RING_SLOTS_AT) = PYC_RING_GC;  // cut off
             r.head = 1;
           }}) {
    Ring ring(64);
    bend(*ring.ring());
    add(ring, 0);
    drain_.drain(2000);
    EXPECT_TRUE(drain_.finished());
  }
}

TEST_F(TraceDrainTest, EndsWhateverStandsInARing) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 300; ++round) {
    Ring ring(256), more_definitions(256);
    auto words = std::span(reinterpret_cast<uint64_t*>(ring.memory.bytes().data() + PYC_RING_SLOTS_AT), 512);
    for (uint64_t& word : words) word = random() >> (random() % 64);
    for (size_t i = 0; i < words.size(); i += 2)  // mostly of types that there are
      if (random() % 8) words[i] = (1000 + random() % 1000) << 8 | random() % 25;
    ring.ring()->head = random() % 257;
    ring.ring()->lost = random() >> (random() % 64);
    add(ring, 0);
    while (drain_.drain(3000) > 0) {
    }
    drain_.writer_is_gone(threads_[0]);
    drain_.drain(3000);
    EXPECT_TRUE(drain_.finished());
  }
  EXPECT_TRUE(are_known(sink_.trace(), sink_.symbols().mark()));
}

// What a writer says that it did, also when it is killed: at most the event that it was about to write is missing.
struct Attempts {
  uint64_t begun;
};

class KilledWriterTest : public TraceDrainTest, public testing::WithParamInterface<pyc_ring_on_full> {};

TEST_P(KilledWriterTest, AllThatItWroteIsThereOrCounted) {
  std::mt19937 random(11);
  SharedMemory shared = *SharedMemory::create("attempts", 4096);
  auto& attempts = *reinterpret_cast<Attempts*>(shared.bytes().data());
  for (int round = 0; round < 100; ++round) {
    attempts.begun = 0;
    Ring ring(1024, GetParam());
    add(ring, 0);
    const uint64_t recorded_before = sink_.trace().size(), lost_before = lost();
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      for (uint64_t i = 0;; ++i) {
        __atomic_store_n(&attempts.begun, i + 1, __ATOMIC_RELEASE);
        pyc_ring_write(&ring.writer, i % 2 ? PYC_RING_RETURN : PYC_RING_CALL, 1000 + i, 1, 0, nullptr, 0);
      }
    }
    const auto patience = static_cast<useconds_t>(random() % 3000);
    const int64_t end = monotonic_ns() + patience * 1000;
    while (monotonic_ns() < end) {
      drain_.drain(UINT64_MAX >> 9);
      if (random() % 4 == 0) usleep(static_cast<useconds_t>(random() % 500));  // a drainer that stands still
    }
    kill(child, SIGKILL);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    drain_.writer_is_gone(threads_[0]);
    drain_.drain(0);
    // But for its end, which it could not tell any more.
    const uint64_t recorded = sink_.trace().size() - recorded_before;
    const uint64_t ends = recorded > 0 && sink_.trace().type.back() == TraceType::kThreadEnd;
    const uint64_t told = recorded - ends + lost() - lost_before;
    EXPECT_LE(told, attempts.begun);
    EXPECT_GE(told + 1, attempts.begun);
  }
}

INSTANTIATE_TEST_SUITE_P(OnFull, KilledWriterTest, testing::Values(PYC_RING_DROP, PYC_RING_BLOCK),
                         [](const auto& which) { return which.param == PYC_RING_BLOCK ? "Block" : "Drop"; });

TEST_F(TraceDrainTest, AWriterThatWaitsGoesOnWhenTheReaderIsGone) {
  Ring ring(64, PYC_RING_BLOCK);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    for (uint64_t i = 0; i < 200; ++i) ring.write(PYC_RING_CALL, 1000 + i, 1);
    _exit(0);
  }
  usleep(20'000);
  EXPECT_EQ(waitpid(child, nullptr, WNOHANG), 0) << "it waits for room";
  ring.reader.close();
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_EQ(ring.ring()->head + ring.ring()->lost, 200u);
}

}  // namespace
}  // namespace pycroscope

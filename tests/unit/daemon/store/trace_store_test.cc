// Traces in a store: what goes in comes out, whatever happens in between is counted.
#include <signal.h>
#include <sys/wait.h>

#include <thread>

#include "analysis/model/trace_tally.h"
#include "daemon/store/trace_log.h"
#include "tests/unit/daemon/store/fixtures.h"
#include "tests/unit/support/trace_program.h"

namespace pycroscope {
namespace {

class TraceStoreTest : public StoreTest {
 protected:
  // Records `slices` slices of a program; all that went in.
  static TraceColumns record(SessionWriter& writer, size_t slices, const test::TraceProgramOptions& options = {}) {
    test::TraceProgram program(writer.symbols(), options);
    TraceColumns all;
    for (size_t i = 0; i < slices; ++i) {
      int64_t to_ns = 0;
      const TraceColumns slice = program.slice(to_ns);
      writer.add_trace(slice, to_ns);
      writer.set_duration(to_ns);
      all.append(slice);
    }
    return all;
  }

  static TraceColumns read_trace(const EventReader& reader) {
    TraceColumns all;
    for (const TraceBlockPlace& place : reader.trace_blocks())
      if (const auto events = reader.trace_block(place)) all.append(*events);
    return all;
  }

  std::unique_ptr<EventReader> read(const std::string& id = "latest") const {
    auto reader = store().read(id, self_);
    EXPECT_TRUE(reader) << reader.error().message;
    return reader ? *std::move(reader) : nullptr;
  }
};

TEST_F(TraceStoreTest, ReadsWhatWasRecorded) {
  auto writer = create();
  const TraceColumns all = record(*writer, 60, {.threads = 3, .processes = 2});
  ASSERT_TRUE(writer->finish(v1::SESSION_STATE_COMPLETE));
  const auto reader = read();
  EXPECT_EQ(reader->session().events(), all.size());
  EXPECT_EQ(reader->session().samples(), 0u);
  EXPECT_EQ(reader->session().loss().recorded(), all.size());
  EXPECT_EQ(read_trace(*reader), all);
  EXPECT_EQ(reader->damaged_events(), 0u);
}

TEST_F(TraceStoreTest, IsReadWhileItIsBeingRecorded) {
  auto writer = create();
  const TraceColumns all = record(*writer, 30);
  ASSERT_TRUE(writer->sync());
  EXPECT_EQ(read_trace(*read()), all);
}

// What comes all at one moment, be it the session's first.
TEST_F(TraceStoreTest, AMomentIsAStretchOfTime) {
  auto writer = create();
  Symbols& symbols = writer->symbols();
  const ThreadId thread = symbols.add_thread(symbols.intern_process({1, {}, 0}), 1, {});
  const FileId file = symbols.intern_file(symbols.intern_string("/a.py"));
  const FunctionId f = symbols.intern_function({symbols.intern_string("f"), file, 1});
  TraceColumns slice;
  slice.runs.push_back({thread, {}, {}, 0});
  slice.push_back({.time_ns = 0, .type = TraceType::kCall, .id = index(f)});
  slice.push_back({.time_ns = 0, .type = TraceType::kReturn, .id = index(f)});
  writer->add_trace(slice, 0);
  writer->set_duration(100);
  ASSERT_TRUE(writer->finish(v1::SESSION_STATE_COMPLETE));
  const auto reader = read();
  ASSERT_EQ(reader->buckets(0).size(), 1u);
  EXPECT_LT(reader->buckets(0)[0].summary.from_ns, reader->buckets(0)[0].summary.to_ns);
}

TEST_F(TraceStoreTest, StandsBesideSamples) {
  auto writer = create();
  const TraceColumns all = record(*writer, 10);
  const ThreadId thread = make_thread(writer->symbols());
  for (int64_t i = 0; i < 1000; ++i) writer->add({i * 1000, thread, StackId{}, LabelSetId{}, 1'000, false});
  ASSERT_TRUE(writer->finish(v1::SESSION_STATE_COMPLETE));
  const auto reader = read();
  EXPECT_EQ(reader->session().samples(), 1000u);
  EXPECT_EQ(reader->session().events(), all.size() + 1000);
  EXPECT_EQ(read_all(*reader).size(), 1000u);
  EXPECT_EQ(read_trace(*reader), all);
}

TEST_F(TraceStoreTest, BucketsAddUpAllEvents) {
  auto writer = create();
  const TraceColumns all = record(*writer, 250, {.slice_events = 20000});
  ASSERT_GT(all.size(), 2 * kBucketEvents);
  const Status finished = writer->finish(v1::SESSION_STATE_COMPLETE);
  ASSERT_TRUE(finished) << finished.error().message;
  const auto reader = read();
  ASSERT_GT(reader->buckets(0).size(), 2u);
  for (uint32_t level = 0; level < 2; ++level) {
    std::array<uint64_t, kTraceTypes> counts{};
    int64_t edge = 0;
    for (const BucketPlace& place : reader->buckets(level)) {
      const auto bucket = reader->bucket(place);
      ASSERT_TRUE(bucket);
      EXPECT_EQ(bucket->from_ns, edge);
      edge = bucket->to_ns;
      for (size_t type = 0; type < kTraceTypes; ++type) counts[type] += bucket->tally.events()[type];
    }
    for (size_t type = 0; type < kTraceTypes; ++type)
      EXPECT_EQ(counts[type], static_cast<uint64_t>(std::ranges::count(all.type, static_cast<TraceType>(type))));
  }
}

TEST_F(TraceStoreTest, DropsTheOldestEventsAndKeepsWhatTheyAddUpTo) {
  for (const bool by_size : {false, true}) {
    v1::Session session;
    if (by_size)
      session.mutable_config()->set_max_bytes(2 << 20);
    else
      session.mutable_config()->set_max_events(5 * kBucketEvents / 2);
    auto writer = *store().create(session, self_);
    const TraceColumns all = record(*writer, 300, {.slice_events = 20000});
    ASSERT_TRUE(writer->finish(v1::SESSION_STATE_COMPLETE));
    const auto reader = read();
    const v1::Loss& loss = reader->session().loss();
    EXPECT_EQ(loss.recorded(), all.size());
    EXPECT_GT(loss.discarded(), 0u);
    EXPECT_EQ(reader->session().events() + loss.discarded(), all.size());
    EXPECT_LE(reader->session().events(), 7 * kBucketEvents / 2);
    const TraceColumns kept = read_trace(*reader);
    EXPECT_EQ(kept.size(), reader->session().events());
    EXPECT_TRUE(std::ranges::equal(kept.time_ns, std::span(all.time_ns).last(kept.size())));
    uint64_t added_up = 0;
    for (const BucketPlace& place : reader->buckets(0)) added_up += place.summary.events;
    EXPECT_EQ(added_up, all.size());
  }
}

TEST_F(TraceStoreTest, AKillKeepsWholeWritesAndTheirCounts) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      auto writer = create();
      test::TraceProgram program(writer->symbols(), {.seed = static_cast<uint64_t>(round) + 1});
      for (;;) {
        int64_t to_ns = 0;
        const TraceColumns slice = program.slice(to_ns);
        writer->add_trace(slice, to_ns);
        writer->set_duration(to_ns);
        static_cast<void>(writer->sync_soon());
      }
    }
    ::usleep(static_cast<useconds_t>(30'000 + random() % 60'000));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    if (store().list(self_)->sessions.empty()) continue;
    const auto reader = read();
    EXPECT_EQ(read_trace(*reader).size(), reader->session().loss().recorded());
    EXPECT_EQ(reader->session().events(), reader->session().loss().recorded());
    ASSERT_TRUE(store().remove(std::vector<std::string>{reader->session().id()}, self_));
  }
}

// Each bit of a packed session, turned: an error, or a counted loss, and what is read is what was recorded.
TEST_F(TraceStoreTest, NoBitTurnedGivesAWrongEvent) {
  auto writer = create();
  const TraceColumns all = record(*writer, 1, {.functions = 8, .threads = 1, .slice_events = 120});
  ASSERT_TRUE(writer->finish(v1::SESSION_STATE_COMPLETE));
  std::string packed;
  ASSERT_TRUE(store().pack("latest", self_, [&](std::string_view chunk) {
    packed += chunk;
    return Status();
  }));
  ASSERT_LT(packed.size(), 8000u);
  for (size_t bit = 0; bit < packed.size() * 8; ++bit) {
    std::string bent = packed;
    bent[bit / 8] = static_cast<char>(bent[bit / 8] ^ 1 << bit % 8);
    bool given = false;
    const auto reader =
        Store::read_packed([&]() -> Result<std::string> { return std::exchange(given, true) ? "" : bent; });
    if (!reader) continue;
    const TraceColumns events = read_trace(**reader);
    const v1::Loss& loss = (*reader)->session().loss();
    EXPECT_EQ(events.size() + (*reader)->damaged_events(), loss.recorded()) << "bit " << bit;
    EXPECT_EQ(loss.recorded() + loss.lost(), all.size()) << "bit " << bit;
    EXPECT_TRUE(events.size() == 0 || events == all) << "bit " << bit;
    for (const BucketPlace& place : (*reader)->buckets(0)) {
      const auto bucket = (*reader)->bucket(place);
      const auto calls = static_cast<uint64_t>(std::ranges::count(all.type, TraceType::kCall));
      EXPECT_TRUE(!bucket || bucket->tally.events()[0] == calls) << "bit " << bit;
    }
  }
}

TEST_F(TraceStoreTest, HoldsWhatIsMany) {
  constexpr uint32_t kMany = 1'000'000;
  auto writer = create();
  Symbols& symbols = writer->symbols();
  const ProcessId process = symbols.intern_process({1, {}, 0});
  const FileId file = symbols.intern_file(symbols.intern_string("/a.py"));
  // A stack 10 000 deep, a million functions, as many threads over time.
  TraceColumns slice;
  std::vector<FunctionId> functions;
  for (uint32_t i = 0; i < kMany; ++i)
    functions.push_back(symbols.intern_function({symbols.intern_string("f" + std::to_string(i)), file, i + 1}));
  const ThreadId deep = symbols.add_thread(process, 1, {});
  slice.runs.push_back({deep, {}, {}, 0});
  for (int64_t i = 0; i < 10'000; ++i)
    slice.push_back({.time_ns = i, .type = TraceType::kCall, .id = index(functions[static_cast<size_t>(i)])});
  writer->add_trace(slice, 10'000);
  uint64_t events = slice.size();
  for (uint32_t i = 0; i < kMany; i += 1000) {
    slice.clear();
    const int64_t now = 10'000 + i;
    for (uint32_t t = i; t < i + 1000; ++t) {
      slice.runs.push_back({symbols.add_thread(process, static_cast<int32_t>(t + 2), {}), {}, {}, 0});
      slice.push_back({.time_ns = now, .type = TraceType::kCall, .id = index(functions[t])});
      slice.push_back({.time_ns = now + 5, .type = TraceType::kReturn, .id = index(functions[t])});
      slice.push_back({.time_ns = now + 6, .type = TraceType::kThreadEnd});
    }
    writer->add_trace(slice, now + 1000);
    events += slice.size();
  }
  writer->set_duration(kMany + 100'000);
  ASSERT_TRUE(writer->finish(v1::SESSION_STATE_COMPLETE));
  const auto reader = read();
  EXPECT_EQ(read_trace(*reader).size(), events);
  const auto bucket = reader->bucket(reader->buckets(0).back());
  ASSERT_TRUE(bucket);
  EXPECT_EQ(bucket->states.size(), 1u) << "the others have ended";
  uint64_t calls = 0;
  for (const BucketPlace& place : reader->buckets(0))
    calls += reader->bucket(place)->tally.events()[static_cast<size_t>(TraceType::kCall)];
  EXPECT_EQ(calls, kMany + 10'000u);
}

}  // namespace
}  // namespace pycroscope

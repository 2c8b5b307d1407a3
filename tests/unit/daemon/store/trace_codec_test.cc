#include "daemon/store/trace_codec.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/support/trace_program.h"

namespace pycroscope {
namespace {

// Events without any sense: every field has any value.
TraceColumns random_events(std::mt19937_64& random, size_t count) {
  TraceColumns events;
  const uint64_t distinct = 1 + random() % 1000;
  const unsigned shift = static_cast<unsigned>(random() % 64);
  int64_t time = static_cast<int64_t>(random() >> shift);
  while (events.size() < count) {
    events.runs.push_back({ThreadId{static_cast<uint32_t>(random())}, StackId{static_cast<uint32_t>(random())},
                           LabelSetId{static_cast<uint32_t>(random() % 5)}, 0});
    const size_t run = std::min<size_t>(1 + random() % 500, count - events.size());
    for (size_t i = 0; i < run; ++i) {
      TraceEvent event{.time_ns = time, .type = static_cast<TraceType>(random() % kTraceTypes)};
      event.id = static_cast<uint32_t>(random() % 3 ? random() % distinct : random());
      for (uint64_t& argument : event.arguments) argument = random() >> (random() % 64);
      events.push_back(event);
      time = static_cast<int64_t>(static_cast<uint64_t>(time) + (random() >> shift));  // may wrap
    }
  }
  return events;
}

void expect_round_trip(const TraceColumns& events) {
  const auto decoded = decode_trace(encode_trace(events));
  ASSERT_TRUE(decoded);
  ASSERT_EQ(*decoded, events);
}

TEST(TraceCodec, DecodesWhatItEncodes) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 300; ++i) expect_round_trip(random_events(random, 1 + random() % 3000));
  expect_round_trip(random_events(random, kMaxTraceBlockEvents));
}

TEST(TraceCodec, DecodesProgramsOfTenMillionEvents) {
  uint64_t events = 0;
  for (uint64_t seed = 1; events < 10'000'000; ++seed) {
    Symbols symbols;
    test::TraceProgram program(symbols, {.seed = seed,
                                         .threads = 1 + static_cast<uint32_t>(seed % 4),
                                         .instructions = seed % 3 == 0,
                                         .memory = seed % 2 == 0,
                                         .slice_events = 40000});
    for (int i = 0; i < 20; ++i) {
      int64_t end = 0;
      const TraceColumns slice = program.slice(end);
      if (slice.size() > kMaxTraceBlockEvents) continue;
      expect_round_trip(slice);
      events += slice.size();
    }
  }
}

TEST(TraceCodec, NeedsNoMoreThanAByteAndAHalfForAnEvent) {
  Symbols symbols;
  test::TraceProgram program(symbols, {.seed = 3, .threads = 1, .memory = false, .rare = false, .slice_events = 60000});
  int64_t end = 0;
  const TraceColumns slice = program.slice(end);
  EXPECT_LE(static_cast<double>(encode_trace(slice).size()) / static_cast<double>(slice.size()), 1.5);
}

TEST(TraceCodec, RefusesWhatIsNoBlock) {
  std::mt19937_64 random(2);
  const std::string good = encode_trace(random_events(random, 400));
  for (size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(decode_trace(std::string_view(good).substr(0, size)));
  EXPECT_FALSE(decode_trace(good + '\0'));
  for (int i = 0; i < 20000; ++i) {  // nothing but an answer is asked for
    std::string bent = good;
    for (int n = 0; n < 1 + i % 4; ++n) bent[random() % bent.size()] = static_cast<char>(random());
    static_cast<void>(decode_trace(bent));
  }
}

}  // namespace
}  // namespace pycroscope

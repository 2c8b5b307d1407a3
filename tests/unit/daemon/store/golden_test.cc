// Packed sessions of each released format stay readable. tests/golden/sessions/v1-samples.pycro and v1-trace.pycro are
// format 1; they were made with `test_daemon_store --gtest_also_run_disabled_tests --gtest_filter=*MakeTheFile` and are
// never made again for the same format.
#include "tests/unit/daemon/store/fixtures.h"
#include "tests/unit/support/trace_program.h"

namespace pycroscope {
namespace {

const std::filesystem::path kGoldenFile =
    std::filesystem::path(PYC_TESTS_DIR) / "golden" / "sessions" / "v1-samples.pycro";
constexpr int kSamples = 30'000;

class GoldenSession : public StoreTest {};

TEST_F(GoldenSession, OpensWithExactlyWhatWasRecorded) {
  std::ifstream file(kGoldenFile, std::ios::binary);
  ASSERT_TRUE(file) << kGoldenFile;
  EXPECT_LE(std::filesystem::file_size(kGoldenFile), 200u << 10);
  auto unpacked = store().unpack(self_, [&]() -> Result<std::string> {
    std::string chunk(10'000, '\0');
    file.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
    chunk.resize(static_cast<size_t>(file.gcount()));
    return chunk;
  });
  ASSERT_TRUE(unpacked) << unpacked.error().message;
  auto reader = store().read(unpacked->id(), self_);
  ASSERT_TRUE(reader) << reader.error().message;
  const v1::Session& session = (*reader)->session();
  EXPECT_EQ(session.name(), "golden");
  EXPECT_EQ(session.format_version(), 1u);
  EXPECT_EQ(session.samples(), uint64_t{kSamples});
  EXPECT_EQ(session.loss().lost(), 3u);
  EXPECT_EQ(session.target().pid(), 4711);
  SampleColumns samples = read_all(**reader);
  EXPECT_EQ(samples.size(), size_t{kSamples});
  EXPECT_EQ((*reader)->damaged_events(), 0u);

  int64_t times = 0, weights = 0;
  uint64_t stacks = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    times += samples.time_ns[i] / 1'000;
    weights += samples.weight_ns[i];
    stacks += samples.stack[i];
  }
  EXPECT_EQ(times, 453'955'833'135);
  EXPECT_EQ(weights, int64_t{kSamples} * 1'000'000);
  EXPECT_EQ(stacks, 2'400'621u);
  const Symbols& symbols = (*reader)->symbols();
  EXPECT_EQ(symbols.mark().stacks, 501u);
  EXPECT_EQ(symbols.string(symbols.thread(ThreadId{0}).name), "MainThread");
  EXPECT_EQ(symbols.string(symbols.function(FunctionId{7}).name), "Handler.step_7");
  EXPECT_EQ((*reader)->source((*reader)->source_hash(FileId{0})), "def step():\n    pass\n");
}

TEST_F(GoldenSession, DISABLED_MakeTheFile) {
  auto writer = create("golden");
  SampledProgram program(Workload::kPhases, make_stacks(writer->symbols(), 500), make_thread(writer->symbols()));
  for (int i = 0; i < kSamples; ++i) writer->add(program.next());
  writer->add_loss(v1::LOSS_REASON_RING_FULL, 3);
  ASSERT_TRUE(writer->add_source(FileId{0}, "def step():\n    pass\n"));
  writer->session().mutable_target()->set_pid(4711);
  ASSERT_TRUE(writer->finish(v1::SESSION_STATE_COMPLETE));
  std::ofstream file(kGoldenFile, std::ios::binary);
  ASSERT_TRUE(store().pack("latest", self_, [&](std::string_view chunk) {
    file << chunk;
    return Status();
  }));
}

// A trace that has all types of events.
class GoldenTrace : public StoreTest {
 protected:
  static constexpr test::TraceProgramOptions kProgram{
      .seed = 7, .functions = 60, .threads = 3, .processes = 2, .instructions = true, .slice_events = 2500};
  static constexpr int kSlices = 16;
  static inline const std::filesystem::path kFile =
      std::filesystem::path(PYC_TESTS_DIR) / "golden" / "sessions" / "v1-trace.pycro";
};

TEST_F(GoldenTrace, OpensWithExactlyWhatWasRecorded) {
  std::ifstream file(kFile, std::ios::binary);
  ASSERT_TRUE(file) << kFile;
  EXPECT_LE(std::filesystem::file_size(kFile), 200u << 10);
  const std::string packed(std::istreambuf_iterator<char>(file), {});
  bool given = false;
  const auto reader =
      Store::read_packed([&]() -> Result<std::string> { return std::exchange(given, true) ? "" : packed; });
  ASSERT_TRUE(reader) << reader.error().message;

  Symbols symbols;
  test::TraceProgram program(symbols, kProgram);
  TraceColumns expected;
  int64_t end_ns = 0;
  for (int i = 0; i < kSlices; ++i) expected.append(program.slice(end_ns));
  TraceColumns events;
  for (const TraceBlockPlace& place : (*reader)->trace_blocks()) events.append((*reader)->trace_block(place).value());
  EXPECT_EQ(events, expected);
  for (size_t type = 0; type < kTraceTypes; ++type)
    EXPECT_GT(std::ranges::count(events.type, static_cast<TraceType>(type)), 0)
        << trace_shape(static_cast<TraceType>(type)).name;
  ASSERT_EQ((*reader)->buckets(0).size(), 1u);
  const auto bucket = (*reader)->bucket((*reader)->buckets(0)[0]);
  ASSERT_TRUE(bucket);
  EXPECT_EQ(bucket->to_ns, end_ns);
  for (size_t type = 0; type < kTraceTypes; ++type)
    EXPECT_EQ(bucket->tally.events()[type],
              static_cast<uint64_t>(std::ranges::count(events.type, static_cast<TraceType>(type))));
}

TEST_F(GoldenTrace, DISABLED_MakeTheFile) {
  auto writer = create("golden");
  test::TraceProgram program(writer->symbols(), kProgram);
  for (int i = 0; i < kSlices; ++i) {
    int64_t to_ns = 0;
    const TraceColumns slice = program.slice(to_ns);
    writer->add_trace(slice, to_ns);
    writer->set_duration(to_ns);
  }
  ASSERT_TRUE(writer->finish(v1::SESSION_STATE_COMPLETE));
  std::ofstream file(kFile, std::ios::binary);
  ASSERT_TRUE(store().pack("latest", self_, [&](std::string_view chunk) {
    file << chunk;
    return Status();
  }));
}

}  // namespace
}  // namespace pycroscope

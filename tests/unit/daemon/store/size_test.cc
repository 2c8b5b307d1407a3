// How many bytes a sample costs, and that this is what block_codec.h says. Run it with --gtest_also_run_disabled_tests
// to see the speed too.
#include <chrono>
#include <cstdio>

#include "daemon/store/block_codec.h"
#include "tests/unit/daemon/store/fixtures.h"

namespace pycroscope {
namespace {

SampleColumns sampled(Workload workload, size_t count) {
  Symbols symbols;
  SampledProgram program(workload, make_stacks(symbols, 500), make_thread(symbols));
  SampleColumns samples;
  for (size_t i = 0; i < count; ++i) samples.push_back(program.next());
  return samples;
}

double bytes_per_sample(const SampleColumns& samples, Effort effort) {
  return static_cast<double>(encode_block(samples, effort).size()) / static_cast<double>(samples.size());
}

TEST(Size, OfAProgramWith500Stacks) {
  for (size_t count : {size_t{10'000}, size_t{65'536}}) {
    double phases = bytes_per_sample(sampled(Workload::kPhases, count), Effort::kThorough);
    double uniform = bytes_per_sample(sampled(Workload::kUniform, count), Effort::kThorough);
    std::printf("blocks of %zu samples: %.3f bytes a sample; stacks drawn at random: %.3f\n", count, phases, uniform);
    EXPECT_LE(phases, 1.2);
    EXPECT_LE(uniform, 1.8);
  }
}

TEST(Size, DISABLED_Speed) {
  SampleColumns samples = sampled(Workload::kPhases, 65'536);
  auto speed = [&](auto&& work) {
    auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 20; ++i) work();
    std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    return 20 * 65'536 / time.count() / 1e6;
  };
  std::string block = encode_block(samples, Effort::kThorough);
  std::printf("M samples/s: encode %.1f thorough, %.1f quick (%.3f bytes a sample); decode %.1f\n",
              speed([&] { encode_block(samples, Effort::kThorough); }),
              speed([&] { encode_block(samples, Effort::kQuick); }), bytes_per_sample(samples, Effort::kQuick),
              speed([&] { decode_block(block); }));
}

}  // namespace
}  // namespace pycroscope

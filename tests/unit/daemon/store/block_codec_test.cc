#include "daemon/store/block_codec.h"

#include <limits>

#include "tests/unit/daemon/store/fixtures.h"

namespace pycroscope {
namespace {

SampleColumns random_samples(unsigned seed) {
  std::mt19937_64 random(seed);
  size_t count = random() % (seed % 3 == 0 ? 5 : 3000) + 1;
  uint64_t ids = seed % 4 == 0 ? UINT32_MAX : random() % 2000 + 1;
  bool wild = seed % 2 == 0;
  SampleColumns samples;
  int64_t time = 0;
  for (size_t i = 0; i < count; ++i) {
    time = wild ? static_cast<int64_t>(random()) : time + static_cast<int64_t>(random() % 2'000'000) - 500'000;
    samples.push_back({time, ThreadId(random() % ids), StackId(random() % ids), LabelSetId(random() % 3),
                       wild ? static_cast<int64_t>(random()) : 1'000'000, random() % 50 == 0});
  }
  return samples;
}

TEST(BlockCodec, ReturnsWhatWasStoredForAnyColumns) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    SampleColumns samples = random_samples(seed);
    for (Effort effort : {Effort::kQuick, Effort::kThorough}) {
      std::optional<SampleColumns> decoded = decode_block(encode_block(samples, effort));
      ASSERT_TRUE(decoded) << seed;
      expect_equal(*decoded, in_whole_microseconds(samples));
    }
  }
}

TEST(BlockCodec, KeepsExtremeValues) {
  constexpr auto kMin = std::numeric_limits<int64_t>::min(), kMax = std::numeric_limits<int64_t>::max();
  SampleColumns samples;
  for (int64_t value : {kMin, kMax, int64_t{0}, int64_t{-1}, kMax, kMin})
    samples.push_back({value, ThreadId{UINT32_MAX}, StackId{0}, LabelSetId{UINT32_MAX}, value, true});
  std::optional<SampleColumns> decoded = decode_block(encode_block(samples, Effort::kThorough));
  ASSERT_TRUE(decoded);
  expect_equal(*decoded, in_whole_microseconds(samples));
}

TEST(BlockCodec, SurvivesEveryFlippedBitAndEveryCut) {
  Symbols symbols;
  SampledProgram program(Workload::kPhases, make_stacks(symbols, 20), make_thread(symbols));
  SampleColumns samples;
  for (int i = 0; i < 100; ++i) samples.push_back(program.next());
  std::string bytes = encode_block(samples, Effort::kThorough);
  size_t refused = 0;
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    std::optional<SampleColumns> decoded = decode_block(damaged);
    refused += !decoded;
    if (decoded) {
      EXPECT_EQ(decoded->stack.size(), decoded->time_ns.size());
    }
    // Bound to its key and checksummed, as it is stored, no such block gets as far as the decoder.
    std::string key = numbered_key(KeyKind::kBlock, 3), sealed = seal(key, bytes);
    sealed[bit / 8] = static_cast<char>(sealed[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(unseal(key, sealed)) << bit;
  }
  EXPECT_GT(refused, 0u);
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(decode_block(bytes.substr(0, size))) << size;
  EXPECT_FALSE(decode_block(bytes + '\0'));
}

TEST(BlockCodec, RefusesACountThatNoBlockHas) {
  ByteWriter huge;
  huge.varint(uint64_t{1} << 60);
  EXPECT_FALSE(decode_block(huge.view()));
  EXPECT_FALSE(decode_block(""));
}

TEST(Seal, BindsAValueToItsKey) {
  std::string key = numbered_key(KeyKind::kBlock, 1), other = numbered_key(KeyKind::kBlock, 2);
  EXPECT_EQ(unseal(key, seal(key, "value")), "value");
  EXPECT_FALSE(unseal(other, seal(key, "value")));
  EXPECT_FALSE(unseal(key, "short"));
}

TEST(Summary, SurvivesARoundTrip) {
  BlockSummary summary{65536, -5, std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()};
  EXPECT_EQ(decode_summary(encode_summary(summary)), summary);
  EXPECT_FALSE(decode_summary("x"));
}

}  // namespace
}  // namespace pycroscope

#include "daemon/store/pack.h"

#include <zstd.h>

#include "daemon/store/bytes.h"
#include "daemon/store/pack_format.h"
#include "tests/unit/daemon/store/fixtures.h"

namespace pycroscope {
namespace {

PackSource chunks_of(std::string bytes, size_t size = 4096) {
  return [bytes = std::move(bytes), size, position = size_t{0}]() mutable -> Result<std::string> {
    std::string chunk = bytes.substr(std::min(position, bytes.size()), size);
    position += size;
    return chunk;
  };
}

class PackTest : public StoreTest {
 protected:
  std::string record_and_pack(int samples) {
    auto writer = create("packed");
    SampledProgram program(Workload::kPhases, make_stacks(writer->symbols(), 10), make_thread(writer->symbols()));
    for (int i = 0; i < samples; ++i) writer->add(program.next());
    EXPECT_TRUE(writer->finish(v1::SESSION_STATE_COMPLETE));
    std::string bytes;
    Status packed = store().pack("latest", self_, [&](std::string_view chunk) {
      bytes += chunk;
      return Status();
    });
    EXPECT_TRUE(packed) << packed.error().message;
    return bytes;
  }
};

TEST_F(PackTest, UnpackingGivesTheSameSession) {
  std::string bytes = record_and_pack(100'000);
  SampleColumns original = read_all(**store().read("latest", self_));
  auto unpacked = store().unpack(self_, chunks_of(bytes));
  ASSERT_TRUE(unpacked) << unpacked.error().message;
  EXPECT_EQ(unpacked->name(), "packed");
  EXPECT_EQ(unpacked->samples(), 100'000u);
  EXPECT_EQ(store().list(self_)->sessions.size(), 2u);  // under a new id: its own is taken
  expect_equal(read_all(**store().read(unpacked->id(), self_)), original);
  auto direct = Store::read_packed(chunks_of(bytes, 1));
  ASSERT_TRUE(direct) << direct.error().message;
  expect_equal(read_all(**direct), original);
}

TEST_F(PackTest, KeepsTheIdWhenItIsFree) {
  std::string bytes = record_and_pack(10);
  std::string id = store().find("latest", self_)->id();
  ASSERT_TRUE(store().remove(std::vector{id}, self_));
  EXPECT_EQ(store().unpack(self_, chunks_of(bytes))->id(), id);
}

TEST_F(PackTest, RefusesASessionThatIsBeingRecorded) {
  auto writer = create();
  EXPECT_EQ(store().pack("latest", self_, [](std::string_view) { return Status(); }).error().code, ErrorCode::kFailed);
}

TEST_F(PackTest, EveryFlippedBitAndEveryCutIsAnErrorOrChangesNothing) {
  std::string bytes = record_and_pack(20);
  SampleColumns original = read_all(**Store::read_packed(chunks_of(bytes)));
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    if (auto reader = Store::read_packed(chunks_of(damaged))) expect_equal(read_all(**reader), original);
  }
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(Store::read_packed(chunks_of(bytes.substr(0, size)))) << size;
  EXPECT_FALSE(Store::read_packed(chunks_of(bytes + "x")));
}

// An honest beginning, then an entry of zeros.
std::string bomb(const v1::Session& session, size_t zeros) {
  const std::string description = session.SerializeAsString();
  ByteWriter content;
  content.byte(pack_format::kSession);
  content.varint(description.size());
  content.bytes(description);
  content.byte(pack_format::kEntry);
  content.varint(5);
  content.varint(zeros);
  content.bytes(std::string("B\0\0\0\0", 5));
  content.bytes(std::string(zeros, '\0'));
  const std::string plain = content.take();
  std::string packed(ZSTD_compressBound(plain.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), plain.data(), plain.size(), 1));
  return std::string(pack_format::kMagic) + packed;
}

TEST_F(PackTest, ABombIsGivenUpBeforeItHasGrown) {
  record_and_pack(1);
  const std::string bytes = bomb(*store().find("latest", self_), size_t{200} << 20);
  ASSERT_LT(bytes.size(), 1u << 20);
  size_t taken = 0;
  const PackSource source = chunks_of(bytes, 256);
  const auto refused = Store::read_packed([&]() -> Result<std::string> {
    auto chunk = source();
    taken += chunk->size();
    return chunk;
  });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(refused.error().message.find("grows without end"), std::string::npos) << refused.error().message;
  EXPECT_LT(taken, bytes.size() / 2) << "what was allowed is a third of what was in there";
  EXPECT_EQ(store().unpack(self_, chunks_of(bytes)).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(store().list(self_)->sessions.size(), 1u);
}

TEST_F(PackTest, AFailedUnpackLeavesNothingBehind) {
  std::string bytes = record_and_pack(20);
  EXPECT_EQ(store().unpack(self_, chunks_of("not a session at all")).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(store().unpack(self_, chunks_of(bytes.substr(0, bytes.size() - 5))).error().code, ErrorCode::kCorrupt);
  size_t entries = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory_ / "store/sessions"))
    ++entries;
  EXPECT_EQ(entries, 1u);
}

}  // namespace
}  // namespace pycroscope

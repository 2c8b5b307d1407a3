// The table's rows and what interpreters say about themselves, over memories that were made by hand: the debug offsets
// below are those of real builds.
#include "daemon/python/resolve_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <vector>

#include "daemon/python/frames.h"
#include "daemon/python/layouts.h"

namespace pycroscope {
namespace {

using testing::HasSubstr;

constexpr uint32_t kVersion314 = 0x030e0af0;
constexpr uint32_t kVersion399 = 0x036300f0;

// _Py_DebugOffsets after its cookie, up to the unicode object: 3.14.10 and 3.15.2 with --disable-gil, 3.15.2 without.
const std::vector<uint64_t> kFreeThreaded314 = {
    kVersion314, 1,    365624, 784,  808,   249976, 7280, 7272, 7344, 7360, 7408, 7712, 7696, 7704, 16,  7808,
    0,           7832, 7824,   8024, 17300, 832,    0,    8,    16,   72,   152,  160,  232,  32,   88,  8,
    0,           56,   80,     78,   64,    72,     240,  128,  136,  144,  152,  84,   68,   112,  120, 232,
    224,         32,   24,     432,  40,    104,    184,  56,   48,   32,   56,   40,   32,   216,  40,  56,
    48,          64,   48,     56,   40,    32,     48,   32,   40,   56,   32,   48,   80,   48,   32,  56};
const std::vector<uint64_t> kFreeThreaded315 = {
    0x030f02f0, 1,    409296, 912,  936,   250328, 7272, 7264, 7336, 7352, 7400, 7592, 7576, 7584, 16,  7736,
    0,          7760, 7752,   7952, 17252, 888,    0,    8,    16,   72,   80,   88,   96,   176,  184, 256,
    32,         36,   40,     136,  288,   0,      88,   8,    0,    56,   80,   78,   64,   72,   240, 128,
    136,        144,  152,    84,   68,    112,    120,  232,  224,  32,   24,   440,  40,   104,  184, 48,
    304,        968,  904,    56,   48,    32,     56,   40,   32,   216,  40,   56,   48,   64,   48,  56,
    40,         32,   48,     32,   40,    56,     32,   48,   80,   48,   32,   56};

constexpr RemoteAddress kRuntime(0x100000);

// Zero wherever nothing was put.
class SparseMemory final : public TargetMemory {
 public:
  void put(RemoteAddress address, uint64_t value, size_t size = sizeof(uint64_t)) {
    for (size_t i = 0; i < size; ++i) bytes_[address.address() + i] = static_cast<std::byte>(value >> (8 * i));
  }
  void put_debug_offsets(const std::vector<uint64_t>& words) {
    uint64_t cookie = 0;
    std::memcpy(&cookie, "xdebugpy", sizeof cookie);
    put(kRuntime, cookie);
    for (size_t i = 0; i < words.size(); ++i) put(kRuntime + 8 * (i + 1), words[i]);
  }
  Status read_bytes(RemoteAddress address, std::span<std::byte> out) const override {
    for (size_t i = 0; i < out.size(); ++i) {
      const auto byte = bytes_.find(address.address() + i);
      out[i] = byte == bytes_.end() ? std::byte{0} : byte->second;
    }
    return {};
  }

 private:
  std::map<uint64_t, std::byte> bytes_;
};

TEST(ResolveLayout, FreeThreadedBuildsHaveLargerObjectsAndBytecodeForEachThread) {
  for (const auto& words : {kFreeThreaded314, kFreeThreaded315}) {
    SparseMemory memory;
    memory.put_debug_offsets(words);
    const auto layout = resolve_layout(memory, kRuntime, static_cast<uint32_t>(words[0]));
    ASSERT_TRUE(layout) << layout.error().message;
    EXPECT_EQ(layout->free_threaded, 1);
    EXPECT_EQ(layout->gil_enabled, 0);
    EXPECT_EQ(layout->frame_tlbc_index, 72);
    EXPECT_EQ(layout->code_tlbc, 224);
    EXPECT_EQ(layout->code_version, 108);
    EXPECT_EQ(layout->code_identity_begin, 40);
    EXPECT_EQ(layout->code_identity_end, 160);
    EXPECT_EQ(layout->unicode_hash, 40);
    EXPECT_EQ(layout->unicode_kind_bit, 8);
    EXPECT_EQ(layout->unicode_compact_data, 72);
    EXPECT_EQ(layout->type_basicsize, 48);
    EXPECT_EQ(layout->type_dictoffset, 304);
    EXPECT_EQ(layout->type_cached_keys, words == kFreeThreaded314 ? 896 : 904);
    EXPECT_EQ(layout->managed_dict_before, 8);
  }
}

TEST(ResolveLayout, LaterVersionsAreTriedAsTheLatestThatFits) {
  EXPECT_EQ(caution_about(kVersion314), "");
  EXPECT_THAT(caution_about(kVersion399),
              HasSubstr("Python 3.99.0 is not among the releases known here (3.8 to 3.15)"));
  EXPECT_THAT(caution_about(0x030f00b1), HasSubstr("Python 3.15.0b1 is not among"));
  EXPECT_EQ(caution_about(0x030b00b1), "");

  SparseMemory memory;
  std::vector<uint64_t> words = kFreeThreaded314;
  words[0] = kVersion399;
  memory.put_debug_offsets(words);
  const auto layout = resolve_layout(memory, kRuntime, kVersion399);
  ASSERT_TRUE(layout) << layout.error().message;
  EXPECT_EQ(layout->thread_id, 152);  // where 3.14 has it

  // An interpreter whose threads do not know it.
  memory.put(kRuntime + 808, 0x200000);
  memory.put(RemoteAddress(0x200000 + 7344), 0x300000);
  const auto wrong = resolve_layout(memory, kRuntime, kVersion399);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message, "Python 3.99.0 is not supported: use a release of 3.8 to 3.15");
}

TEST(ResolveLayout, RefusesWhatMakesNoSense) {
  SparseMemory memory;
  memory.put_debug_offsets(kFreeThreaded314);
  EXPECT_THAT(resolve_layout(memory, kRuntime, 0x030f02f0).error().message,
              HasSubstr("does not describe its own layout"));
  memory.put(kRuntime + 8 * 27, 1 << 20);  // thread_id outside of the thread's state
  EXPECT_THAT(resolve_layout(memory, kRuntime, kVersion314).error().message, HasSubstr("a layout that cannot be"));
  for (const uint32_t version : {0x030710f0u, 0x030b00b1u, 0x020712f0u}) {
    EXPECT_THAT(resolve_layout(memory, kRuntime, version).error().message, HasSubstr("is not supported"));
  }
}

// A free-threaded 3.14 with one thread, which executes `frame`.
PythonRuntime one_thread(SparseMemory& memory, RemoteAddress frame) {
  memory.put_debug_offsets(kFreeThreaded314);
  PythonRuntime python;
  python.runtime = kRuntime;
  python.layout = *resolve_layout(memory, kRuntime, kVersion314);
  const RemoteAddress interpreter(0x200000), thread(0x300000);
  memory.put(kRuntime + 808, interpreter.address());
  memory.put(interpreter + 7344, thread.address());
  memory.put(thread + 72, frame.address());
  return python;
}

TEST(ResolveLayout, FramesExecuteTheirThreadsOwnBytecode) {
  SparseMemory memory;
  const RemoteAddress frame(0x400000);
  const PythonRuntime python = one_thread(memory, frame);
  const RemoteAddress shim(0x410000), code(0x500000);
  memory.put(frame, code.address() | 1);
  memory.put(frame + 8, shim.address());
  memory.put(frame + 56, 0x700000 + 6);  // instr_ptr
  memory.put(frame + 72, 2, 4);          // tlbc_index
  memory.put(shim + 78, 3, 1);           // FRAME_OWNED_BY_INTERPRETER
  memory.put(code + 224, 0x600000);      // co_tlbc: size, copies
  memory.put(RemoteAddress(0x600000 + 8 + 2 * 8), 0x700000);
  const auto threads = walk_threads(memory, python, 10);
  ASSERT_TRUE(threads) << threads.error().message;
  ASSERT_EQ(threads->size(), 1u);
  ASSERT_EQ(threads->front().frames.size(), 1u);
  EXPECT_EQ(threads->front().frames[0].code, code);
  EXPECT_EQ(threads->front().frames[0].offset, 6);

  memory.put(frame + 72, 0, 4);
  memory.put(frame + 56, code.address() + 232 + 10);
  EXPECT_EQ(walk_threads(memory, python, 10)->front().frames[0].offset, 10);
}

TEST(ResolveLayout, AChainOfShimsWithoutAnEndIsCut) {
  SparseMemory memory;
  const RemoteAddress frame(0x400000);
  const PythonRuntime python = one_thread(memory, frame);
  const RemoteAddress shim(0x410000), other(0x420000);
  memory.put(frame, 0x500000 | 1);
  memory.put(frame + 8, shim.address());
  memory.put(shim + 78, 3, 1);  // FRAME_OWNED_BY_INTERPRETER
  memory.put(shim + 8, other.address());
  memory.put(other + 78, 3, 1);
  memory.put(other + 8, shim.address());
  const auto threads = walk_threads(memory, python, 10);
  ASSERT_TRUE(threads) << threads.error().message;
  EXPECT_EQ(threads->front().frames.size(), 1u);
  EXPECT_TRUE(threads->front().truncated);
}

}  // namespace
}  // namespace pycroscope

// Every key and value of a session's database. ON DISK: DO NOT CHANGE anything here without a new format version.
//
//   database := entry*                                  in the default column family, format version 1
//   entry    := 'B' block:be32   → sealed(block)        samples, block_codec.h; numbered from 0 in order of recording
//             | 'I' block:be32   → sealed(summary)      what block B holds, so that its loss can be counted
//             | 'S' delta:be32   → sealed(symbols)      new symbols and renames, symbol_codec.h; to be applied in order
//             | 'F' file:be32    → sealed(sha256)       the source of a file: which content
//             | 'C' sha256       → sealed(zstd)         the content of a source file
//             | 'R' 0:be32       → sealed(discarded:varint)   of a ring: samples of the blocks that were removed so far
//             | 'T' block:be32   → sealed(trace)        events, trace_codec.h; numbered from 0 in order of recording
//             | 'U' block:be32   → sealed(trace summary)   what block T holds
//             | 'A' bucket:be32  → sealed(sums)         what the events of some blocks add up to, tally_codec.h
//             | 'D' bucket:be32  → sealed(sums summary) which blocks
//   summary  := count:varint first_us:zigzag min_us:zigzag max_us:zigzag      times of the block's samples
//   trace summary := count:varint min_ns:zigzag max_ns:zigzag
//   sums summary  := from_ns:zigzag to_ns:zigzag events:varint first:varint end:varint    of the blocks, end excluded
//   bucket   := level << 28 | number      of level 0 are the smallest, of each other one those that hold 16 of the one
//               below; what a bucket of level 0 adds up begins where the one before ends
//   sealed(v) := v checksum     checksum = the first 8 bytes of SHA-256(key v): a value under a wrong key is damaged
//   too be32     := big-endian, so that keys sort by number
//
// The newest block is rewritten under its key with each sync until it is full. Symbols are written in the same batch
// as the first block that needs them.
#pragma once

#include <openssl/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "analysis/model/events.h"

namespace pycroscope {

inline constexpr uint32_t kFormatVersion = 1;

enum class KeyKind : char {
  kBlock = 'B',
  kSummary = 'I',
  kSymbols = 'S',
  kFileSource = 'F',
  kContent = 'C',
  kRing = 'R',
  kTrace = 'T',
  kTraceSummary = 'U',
  kBucket = 'A',
  kBucketSummary = 'D',
};
inline constexpr KeyKind kAllKeyKinds[] = {
    KeyKind::kBlock, KeyKind::kSummary, KeyKind::kSymbols,      KeyKind::kFileSource, KeyKind::kContent,
    KeyKind::kRing,  KeyKind::kTrace,   KeyKind::kTraceSummary, KeyKind::kBucket,     KeyKind::kBucketSummary};

inline constexpr size_t kHashSize = 32;
inline constexpr uint32_t kMaxBlockSamples = 65536;
inline constexpr size_t kMaxSourceBytes = size_t{16} << 20;

std::string numbered_key(KeyKind kind, uint32_t number);
std::string content_key(std::string_view hash);
std::string_view key_prefix(const KeyKind& kind);

// What stands after the kind, if `key` has the length that its kind must have.
std::optional<uint32_t> key_number(std::string_view key);
bool is_valid_key(std::string_view key);

class Sha256 {
 public:
  Sha256();
  void update(std::string_view bytes);
  std::string finish();  // kHashSize bytes; the last call

 private:
  struct FreeContext {
    void operator()(EVP_MD_CTX* context) const;
  };
  std::unique_ptr<EVP_MD_CTX, FreeContext> context_;
};

std::string sha256(std::string_view bytes);
std::string seal(std::string_view key, std::string_view value);
// The value without its checksum; nothing when it is damaged.
std::optional<std::string_view> unseal(std::string_view key, std::string_view sealed);

struct BlockSummary {
  uint32_t count = 0;
  int64_t first_us = 0, min_us = 0, max_us = 0;
  bool operator==(const BlockSummary&) const = default;
};
std::string encode_summary(const BlockSummary& summary);
std::optional<BlockSummary> decode_summary(std::string_view bytes);

std::string encode_trace_summary(const TraceSummary& summary);
std::optional<TraceSummary> decode_trace_summary(std::string_view bytes);

constexpr uint32_t bucket_number(uint32_t level, uint32_t number) { return level << 28 | number; }
constexpr uint32_t level_of_bucket(uint32_t bucket) { return bucket >> 28; }
std::string encode_bucket_summary(const BucketSummary& summary);
std::optional<BucketSummary> decode_bucket_summary(std::string_view bytes);

}  // namespace pycroscope

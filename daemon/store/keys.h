// Every key and value of a session's database. ON DISK: DO NOT CHANGE anything here without a new format version.
//
//   database := entry*                                  in the default column family, format version 1
//   entry    := 'B' block:be32   → sealed(block)        samples, block_codec.h; numbered from 0 in order of recording
//             | 'I' block:be32   → sealed(summary)      what block B holds, so that its loss can be counted
//             | 'S' delta:be32   → sealed(symbols)      new symbols and renames, symbol_codec.h; to be applied in order
//             | 'F' file:be32    → sealed(sha256)       the source of a file: which content
//             | 'C' sha256       → sealed(zstd)         the content of a source file
//             | 'R' 0:be32       → sealed(discarded:varint)   of a ring: samples of the blocks that were removed so far
//   summary  := count:varint first_us:zigzag min_us:zigzag max_us:zigzag      times of the block's samples
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

namespace pycroscope {

inline constexpr uint32_t kFormatVersion = 1;

enum class KeyKind : char {
  kBlock = 'B',
  kSummary = 'I',
  kSymbols = 'S',
  kFileSource = 'F',
  kContent = 'C',
  kRing = 'R',
};
inline constexpr KeyKind kAllKeyKinds[] = {KeyKind::kBlock,      KeyKind::kSummary, KeyKind::kSymbols,
                                           KeyKind::kFileSource, KeyKind::kContent, KeyKind::kRing};

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

}  // namespace pycroscope

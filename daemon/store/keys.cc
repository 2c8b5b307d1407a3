#include "daemon/store/keys.h"

#include <openssl/evp.h>

#include <algorithm>

#include "daemon/store/bytes.h"

namespace pycroscope {
namespace {

constexpr size_t kNumberedKeySize = 5;
constexpr size_t kChecksumSize = 8;

std::string digest(std::string_view first, std::string_view second) {
  Sha256 hash;
  hash.update(first);
  hash.update(second);
  return hash.finish();
}

}  // namespace

void Sha256::FreeContext::operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }

Sha256::Sha256() : context_(EVP_MD_CTX_new()) { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }

void Sha256::update(std::string_view bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }

std::string Sha256::finish() {
  std::string out(kHashSize, '\0');
  EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(out.data()), nullptr);
  return out;
}

std::string numbered_key(KeyKind kind, uint32_t number) {
  std::string key(1, static_cast<char>(kind));
  for (int shift = 24; shift >= 0; shift -= 8) key.push_back(static_cast<char>(number >> shift));
  return key;
}

std::string content_key(std::string_view hash) {
  return std::string(1, static_cast<char>(KeyKind::kContent)).append(hash);
}

std::string_view key_prefix(const KeyKind& kind) {
  static_assert(sizeof(KeyKind) == 1);
  return {reinterpret_cast<const char*>(&kind), 1};
}

std::optional<uint32_t> key_number(std::string_view key) {
  if (key.size() != kNumberedKeySize) return std::nullopt;
  uint32_t number = 0;
  for (char c : key.substr(1)) number = number << 8 | static_cast<uint8_t>(c);
  return number;
}

bool is_valid_key(std::string_view key) {
  if (key.empty()) return false;
  KeyKind kind{key[0]};
  if (std::ranges::find(kAllKeyKinds, kind) == std::end(kAllKeyKinds)) return false;
  return key.size() == (kind == KeyKind::kContent ? 1 + kHashSize : kNumberedKeySize);
}

std::string sha256(std::string_view bytes) { return digest(bytes, {}); }

std::string seal(std::string_view key, std::string_view value) {
  return std::string(value).append(digest(key, value), 0, kChecksumSize);
}

std::optional<std::string_view> unseal(std::string_view key, std::string_view sealed) {
  if (sealed.size() < kChecksumSize) return std::nullopt;
  std::string_view value = sealed.substr(0, sealed.size() - kChecksumSize);
  if (sealed.substr(value.size()) != std::string_view(digest(key, value)).substr(0, kChecksumSize)) return std::nullopt;
  return value;
}

std::string encode_summary(const BlockSummary& summary) {
  ByteWriter out;
  out.varint(summary.count);
  out.zigzag(summary.first_us);
  out.zigzag(summary.min_us);
  out.zigzag(summary.max_us);
  return out.take();
}

std::optional<BlockSummary> decode_summary(std::string_view bytes) {
  ByteReader in(bytes);
  BlockSummary summary{in.varint32(), in.zigzag(), in.zigzag(), in.zigzag()};
  if (!in.finished() || summary.count == 0 || summary.count > kMaxBlockSamples) return std::nullopt;
  return summary;
}

std::string encode_trace_summary(const TraceSummary& summary) {
  ByteWriter out;
  out.varint(summary.count);
  out.zigzag(summary.min_ns);
  out.zigzag(summary.max_ns);
  return out.take();
}

std::optional<TraceSummary> decode_trace_summary(std::string_view bytes) {
  ByteReader in(bytes);
  TraceSummary summary{in.varint32(), in.zigzag(), in.zigzag()};
  if (!in.finished() || summary.count == 0 || summary.max_ns < summary.min_ns) return std::nullopt;
  return summary;
}

std::string encode_bucket_summary(const BucketSummary& summary) {
  ByteWriter out;
  out.zigzag(summary.from_ns);
  out.zigzag(summary.to_ns);
  out.varint(summary.events);
  out.varint(summary.first_block);
  out.varint(summary.end_block);
  return out.take();
}

std::optional<BucketSummary> decode_bucket_summary(std::string_view bytes) {
  ByteReader in(bytes);
  BucketSummary summary{in.zigzag(), in.zigzag(), in.varint(), in.varint32(), in.varint32()};
  if (!in.finished() || summary.to_ns <= summary.from_ns || summary.end_block < summary.first_block)
    return std::nullopt;
  return summary;
}

}  // namespace pycroscope

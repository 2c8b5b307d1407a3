// Byte strings as a sequence of small integers: what all values of the store are made of.
//
//   varint := LEB128, at most 10 bytes          zigzag := varint of (n << 1) ^ (n >> 63)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pycroscope {

constexpr uint64_t zigzag_encode(int64_t n) { return (static_cast<uint64_t>(n) << 1) ^ static_cast<uint64_t>(n >> 63); }
constexpr int64_t zigzag_decode(uint64_t n) { return static_cast<int64_t>((n >> 1) ^ (~(n & 1) + 1)); }

class ByteWriter {
 public:
  void byte(uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) byte(static_cast<uint8_t>(value | 0x80));
    byte(static_cast<uint8_t>(value));
  }
  void zigzag(int64_t value) { varint(zigzag_encode(value)); }
  void bytes(std::string_view value) { out_.append(value); }

  size_t size() const { return out_.size(); }
  std::string_view view() const { return out_; }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

// Reads untrusted bytes. The first read that does not fit makes `ok()` false for good and empties the reader; what
// later reads return then means nothing, so a decoder asks `ok()` before it uses what it read.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  uint8_t byte() {
    std::string_view one = bytes(1);
    return one.empty() ? uint8_t{0} : static_cast<uint8_t>(one[0]);
  }
  uint64_t varint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      uint8_t part = byte();
      value |= uint64_t{part & 0x7Fu} << shift;
      if (part < 0x80) return value;
    }
    fail();
    return 0;
  }
  // A varint that must fit in 32 bits.
  uint32_t varint32() {
    uint64_t value = varint();
    if (value > UINT32_MAX) fail();
    return static_cast<uint32_t>(value);
  }
  int64_t zigzag() { return zigzag_decode(varint()); }
  std::string_view bytes(uint64_t size) {
    if (size > rest_.size()) {
      fail();
      return {};
    }
    std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  size_t remaining() const { return rest_.size(); }

  bool ok() const { return ok_; }
  bool finished() const { return ok_ && rest_.empty(); }
  void fail() {
    ok_ = false;
    rest_ = {};
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace pycroscope

#include "daemon/store/integer_column.h"

#include <algorithm>
#include <bit>
#include <string>

#include "daemon/store/zstd_codec.h"

namespace pycroscope {
namespace {

enum PlaneCodec : uint8_t { kConstant = 0, kRaw = 1, kZstd = 2 };  // on disk: DO NOT CHANGE

int zstd_level(Effort effort) { return effort == Effort::kQuick ? 1 : 3; }

void encode_plane(std::string_view plane, Effort effort, ByteWriter& out) {
  if (plane.find_first_not_of(plane[0]) == std::string_view::npos) {
    out.byte(kConstant);
    out.bytes(plane.substr(0, 1));
    return;
  }
  std::string frame = zstd_compress(plane, zstd_level(effort));
  if (frame.size() + 3 >= plane.size()) {
    out.byte(kRaw);
    out.bytes(plane);
    return;
  }
  out.byte(kZstd);
  out.varint(frame.size());
  out.bytes(frame);
}

std::string decode_plane(size_t count, ByteReader& in) {
  switch (in.byte()) {
    case kConstant:
      return std::string(count, static_cast<char>(in.byte()));
    case kRaw:
      return std::string(in.bytes(count));
    case kZstd: {
      std::string_view frame = in.bytes(in.varint());
      if (auto plane = in.ok() ? zstd_decompress(frame, count) : std::nullopt) return *std::move(plane);
    }
  }
  in.fail();
  return {};
}

}  // namespace

void encode_integers(std::span<const uint64_t> values, Effort effort, ByteWriter& out) {
  uint64_t all = 0;
  bool constant = true;
  for (uint64_t value : values) {
    all |= value;
    constant &= value == values[0];
  }
  if (constant) {
    out.byte(0);
    out.varint(values.empty() ? 0 : values[0]);
    return;
  }
  unsigned width = (static_cast<unsigned>(std::bit_width(all)) + 7) / 8;
  out.byte(static_cast<uint8_t>(width));
  std::string plane(values.size(), '\0');
  for (unsigned shift = 0; shift < width * 8; shift += 8) {
    std::ranges::transform(values, plane.begin(), [&](uint64_t value) { return static_cast<char>(value >> shift); });
    encode_plane(plane, effort, out);
  }
}

std::vector<uint64_t> decode_integers(size_t count, ByteReader& in) {
  unsigned width = in.byte();
  if (width == 0) return std::vector<uint64_t>(count, in.varint());
  std::vector<uint64_t> values(count, 0);
  if (width > 8) in.fail();
  for (unsigned shift = 0; in.ok() && shift < width * 8; shift += 8) {
    std::string plane = decode_plane(count, in);
    if (!in.ok()) break;
    for (size_t i = 0; i < count; ++i) values[i] |= uint64_t{static_cast<uint8_t>(plane[i])} << shift;
  }
  return values;
}

}  // namespace pycroscope

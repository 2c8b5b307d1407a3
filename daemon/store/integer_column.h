// A column of integers as bytes. ON DISK: DO NOT CHANGE.
//
//   column := 0 value:varint                 every integer is `value`
//           | width:u8 plane{width}          1..8: the least significant bytes of all integers, then the next, ...
//   plane  := 0 byte                         every byte is `byte`
//           | 1 byte{count}                  as they are
//           | 2 size:varint frame            a zstd frame of `count` bytes
//
// Planes apart, zstd's entropy coder learns each one's own statistics: the noise of a clock's low byte costs its
// entropy, the rare large values of the higher ones nearly nothing.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "daemon/store/bytes.h"

namespace pycroscope {

// What may be spent on making a block small: a block that is rewritten in a second is not worth much.
enum class Effort { kQuick, kThorough };

void encode_integers(std::span<const uint64_t> values, Effort effort, ByteWriter& out);
// `count` integers; `in` is not ok() when the bytes are no such column.
std::vector<uint64_t> decode_integers(size_t count, ByteReader& in);

}  // namespace pycroscope

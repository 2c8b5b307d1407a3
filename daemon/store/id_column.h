// A column of ids (threads, stacks, label sets) as bytes. ON DISK: DO NOT CHANGE.
//
//   column     := dictionary model:u8 integers         integer_column.h, one for each id
//   dictionary := size:varint (id - previous id):zigzag*       the distinct ids; an id's place in it is its rank
//   model      := 0  rank
//               | 1  0 when the rank is the one that followed the previous rank the last time, else rank + 1
//               | 2  place in a move-to-front list of ranks, which starts as 0, 1, 2, ...; at most 1024 distinct ids
//
// The 256 most frequent ids come first, so that with more of them the second byte of a rank is mostly 0; within that,
// ids ascend, which makes the dictionary small. The encoder tries the models and keeps what is smallest.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "daemon/store/integer_column.h"

namespace pycroscope {

struct RankedIds {
  std::vector<uint32_t> dictionary;
  std::vector<uint32_t> ranks;
};

RankedIds rank_ids(std::span<const uint32_t> ids);
void encode_ids(const RankedIds& ids, Effort effort, ByteWriter& out);
// `count` ranks, each below dictionary.size(); `in` is not ok() when the bytes are no such column.
RankedIds decode_ids(size_t count, ByteReader& in);

}  // namespace pycroscope

// A block of samples as bytes, columns apart. ON DISK: DO NOT CHANGE.
//
//   block := count:varint threads weights times stacks label_sets truncated
//     threads, stacks, label_sets: id_column.h     times: time_column.h, microseconds     truncated: integer_column.h
//     weights: integer_column.h of zigzag(nanoseconds)
//
// Times are stored in whole microseconds, cut towards zero: the jitter of a timer interrupt is larger than that, and at
// 1 ns it would be most of a session's bytes.
//
// A sampled program with 500 distinct stacks costs 0.8-1.2 bytes a sample (tests/unit/daemon/store/size_test.cc).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "analysis/model/events.h"
#include "daemon/store/integer_column.h"
#include "daemon/store/keys.h"

namespace pycroscope {

// 1 to kMaxBlockSamples samples.
std::string encode_block(const SampleColumns& samples, Effort effort);
// Nothing when the bytes are no block. Ids are as they were stored: they may be unknown to the session's symbols.
std::optional<SampleColumns> decode_block(std::string_view bytes);

BlockSummary summarize(const SampleColumns& samples);

}  // namespace pycroscope

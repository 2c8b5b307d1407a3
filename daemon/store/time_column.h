// Sample times, in whole microseconds since the session's start, as bytes. ON DISK: DO NOT CHANGE.
//
//   column := model:u8 integers            integer_column.h: zigzag(time - predicted), modulo 2^64
//   model  := 0   predicted = the previous sample's time (0 for the first)
//           | 1 + shift                    0..15, the thread's clock:
//
// A thread's ticks lie on a grid whose step is the sample's weight; the interrupt comes a few microseconds late, now
// more, now less. So the clock of each thread predicts `phase + weight`, and is corrected by the error / 2^shift: with
// shift 0 it follows each tick, with more it averages the noise out. An error of kOffGrid or more starts a new
// grid (the thread had not been running). A thread's first sample is predicted as in model 0.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "daemon/store/id_column.h"

namespace pycroscope {

void encode_times(std::span<const int64_t> times_us, std::span<const int64_t> weights_ns, const RankedIds& threads,
                  Effort effort, ByteWriter& out);
std::vector<int64_t> decode_times(std::span<const int64_t> weights_ns, const RankedIds& threads, ByteReader& in);

}  // namespace pycroscope

// A block of trace events as bytes, columns apart. ON DISK: DO NOT CHANGE.
//
//   block      := count:varint runs tokens times arguments
//   runs       := size:varint threads stacks label_sets counts            each integer_column.h, one for each run
//   tokens     := dictionary model:u8 (ranks | hits misses)
//   dictionary := size:varint types ids       integer_column.h; the distinct (type, id) as they first appear
//   ranks      := integers                    model 0: for each event 0 when its token is the next new one, else
//                                             its place in the dictionary + 1
//   hits       := size:varint integers        model 1: how many events in turn are as predicted, then comes one
//                                             that is not; after the last such one, how many still are
//   misses     := integers                    of each that is not, as in `ranks`
//   times      := first:zigzag starts model:u8 steps
//     starts: zigzag of each run's first time less that of the run before, for the first run less `first`
//     steps, one for each event but a run's first, of the difference to the event before:
//       model 0  the difference; no time is less than the one before
//       model 1  zigzag of the difference
//       model 2  zigzag of the difference less the one that came at the same place of the predictor's table last
//   arguments  := (model:u8 integers)*        for each type that occurs, in order of its number, and each of its
//                                             arguments: all values; model 1: zigzag of the difference to the last one
//
// Predicted is the token that followed the last time that the two before were the same, in a table of kSlots places
// (trace_predictor.h), which starts anew with each block.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "analysis/model/events.h"
#include "daemon/store/integer_column.h"

namespace pycroscope {

// 1 to kMaxTraceBlockEvents events.
std::string encode_trace(const TraceColumns& events);
// Nothing when the bytes are no block. Ids are as they were stored: they may be unknown to the session's symbols.
std::optional<TraceColumns> decode_trace(std::string_view bytes);

}  // namespace pycroscope

// What trace events add up to in a stretch of time, and where their threads are at its end, as bytes. ON DISK: DO NOT
// CHANGE.
//
//   bucket     := from:zigzag to:zigzag slot_shift:varint contexts stacks allocations processes memory
//                 objects lifetimes sites exceptions kept events states         times in ns
//   each       := rows:varint column*                            column: integer_column.h, one integer for each row
//   contexts   := thread, label set, process
//   stacks     := context, stack (zigzag of the difference to the row before), calls, hits, instructions, ns
//   allocations:= context, stack (likewise), type, allocations, bytes, frees, freed bytes, temporary, zigzag of peak
//   processes  := zigzag of live bytes, peak bytes                by process
//   memory     := process, zigzag of the slot's difference to the row before, zigzag of live bytes
//   objects    := context, stack (likewise), type, count, bytes, ended, ended bytes, most references, lifetimes
//   lifetimes  := place, count                                    as many for each row of objects as it says
//   sites      := type, stack, location + 1
//   exceptions := context, site, raised, unwound, zigzag of ns
//   kept       := thread, label set, stack, type, id, zigzag of time, argument{7}
//   events     := count                                           by type
//   states     := thread, stack, label set                        of the threads that are there at the end
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/model/tally.h"
#include "analysis/model/trace_tally.h"

namespace pycroscope {

// The tally must be settled.
std::string encode_bucket(const TallyBucket& bucket);
// Nothing when the bytes are no bucket, or refer to what `known` does not have.
std::optional<TallyBucket> decode_bucket(std::string_view bytes, const Symbols::Mark& known);

}  // namespace pycroscope

// Names and sentences of loss reasons, and the arithmetic of v1::Loss.
#pragma once

#include <cstdint>
#include <string_view>

#include "pycroscope/v1/session.pb.h"

namespace pycroscope {

// As JSON's `by_reason` spells it: "ring_full".
std::string_view loss_reason_name(v1::LossReason reason);
// For people: "the kernel's ring buffer was full".
std::string_view loss_reason_sentence(v1::LossReason reason);

// Adds `count` events lost for `reason`, keeping `lost` the sum of `by_reason`.
void add_loss(v1::Loss& loss, v1::LossReason reason, uint64_t count);

}  // namespace pycroscope

// An EventReader whose readers stop when nobody waits for their answer any more.
#pragma once

#include <functional>
#include <memory>

#include "analysis/model/events.h"

namespace pycroscope {

// `cancelled` is asked before each block. A cancelled read fails; what was seen of it is not the whole.
std::unique_ptr<EventReader> make_cancellable(std::unique_ptr<EventReader> reader, std::function<bool()> cancelled);

}  // namespace pycroscope

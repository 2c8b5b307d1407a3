// Views as the service answers them, made from samples as text (memory_events.h).
#pragma once

#include <string>
#include <string_view>

#include "analysis/passes/pass.h"
#include "tests/unit/support/memory_events.h"

namespace pycroscope::test {

inline v1::View view_of(std::string_view samples, v1::ViewKind kind) {
  MemoryEvents events;
  parse_events(events, samples);
  v1::ViewRequest request;
  request.set_kind(kind);
  return compute_view(events, request).value();
}

}  // namespace pycroscope::test

// What comes next in a trace, from the two events before: what came after them the last time. The order of hashing is
// part of trace_codec.h's format: DO NOT CHANGE.
#pragma once

#include <cstdint>
#include <vector>

#include "analysis/model/trace_event.h"

namespace pycroscope {

// A type and its id.
using TraceToken = uint64_t;
constexpr TraceToken trace_token(TraceType type, uint32_t id) {
  return uint64_t{static_cast<uint8_t>(type)} << 32 | id;
}

class TracePredictor {
 public:
  static constexpr TraceToken kNothing = UINT64_MAX;
  struct Place {
    TraceToken token = kNothing;  // that was seen here
    int64_t step = 0;             // for whoever keeps times
  };

  TracePredictor() : places_(kSlots) {}

  Place& place() { return places_[(first_ + (second_ ^ second_ >> 31) * 0xC2B2AE3D27D4EB4Fu) >> kShift]; }
  void advance(TraceToken token) {
    second_ = first_;
    first_ = token * 0x9E3779B97F4A7C15u;
  }

 private:
  static constexpr size_t kSlots = size_t{1} << 13;
  static constexpr unsigned kShift = 64 - 13;
  std::vector<Place> places_;
  uint64_t first_ = 0, second_ = 0;
};

}  // namespace pycroscope

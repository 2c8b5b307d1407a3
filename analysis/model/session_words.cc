#include "analysis/model/session_words.h"

namespace pycroscope {

std::string_view state_name(v1::SessionState state) {
  switch (state) {
    case v1::SESSION_STATE_RECORDING:
      return "recording";
    case v1::SESSION_STATE_COMPLETE:
      return "complete";
    case v1::SESSION_STATE_INTERRUPTED:
      return "interrupted";
    case v1::SESSION_STATE_FAILED:
      return "failed";
    default:
      return "unknown";
  }
}

std::string_view mode_name(v1::SampleMode mode) {
  switch (mode) {
    case v1::SAMPLE_MODE_CPU:
      return "cpu";
    case v1::SAMPLE_MODE_WALL:
      return "wall";
    case v1::SAMPLE_MODE_GIL:
      return "gil";
    default:
      return "unknown";
  }
}

}  // namespace pycroscope

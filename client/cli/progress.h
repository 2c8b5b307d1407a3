// What a terminal shows while a recording runs.
#pragma once

#include <chrono>
#include <optional>

#include "client/cli/terminal.h"
#include "pycroscope/v1/service.pb.h"

namespace pycroscope {

// Some lines at the bottom of stderr, gone when the object is. One owner thread.
class Progress {
 public:
  explicit Progress(std::optional<std::chrono::nanoseconds> duration) : duration_(duration) {}

  // Elapsed time, samples, losses, own CPU time and the functions that were most expensive of late.
  void show(const v1::RecordingUpdate& update);

 private:
  std::optional<std::chrono::nanoseconds> duration_;
  LiveArea area_;
};

}  // namespace pycroscope

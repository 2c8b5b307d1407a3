// A thread's exceptions from where they are raised to where they are caught for good.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "analysis/model/trace_event.h"

namespace pycroscope {

// A handler that takes an exception may let it go on: it is caught when the function that has the handler ends, at the
// latest when many others have been caught meanwhile.
class ThreadExceptions {
 public:
  struct Exception {
    uint32_t key = 0;  // tells those apart that are alive
    StringId type{};
    StackId stack{};
    int64_t raised_ns = 0, reached_ns = 0;
    uint32_t frames_unwound = 0;
    bool is_caught = false;
    std::optional<LocationId> place = {};  // of the handler
    uint32_t depth = 0;                    // of the stack with it
  };
  // What is known of one whose way has ended.
  using Emit = std::function<void(const Exception&)>;

  void raise(const Exception& raised, const Emit& emit);
  // The function that it was in is left.
  void unwind(int64_t now_ns);
  // `frames`: that it has passed since it was raised, or raised again, where no unwind() tells of them.
  void caught(uint32_t key, std::optional<LocationId> place, uint32_t depth, uint32_t frames, int64_t now_ns);
  void reraise(uint32_t key);
  // A function at `depth` of the stack ends.
  void leave(uint32_t depth, const Emit& emit) {
    if (!all_.empty()) end_handlers(depth, emit);
  }
  void finish(const Emit& emit);

 private:
  void end_handlers(uint32_t depth, const Emit& emit);
  Exception* find(uint32_t key, bool is_caught);

  std::vector<Exception> all_;  // in the order of raising
};

}  // namespace pycroscope

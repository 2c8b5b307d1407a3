#include "daemon/collect/thread_exceptions.h"

#include <algorithm>

namespace pycroscope {
namespace {

constexpr size_t kMostHandlers = 16;  // that an exception is nested in

void emit_if(std::vector<ThreadExceptions::Exception>& all, const ThreadExceptions::Emit& emit, auto has_ended) {
  for (const auto& exception : all)
    if (has_ended(exception)) emit(exception);
  std::erase_if(all, has_ended);
}

}  // namespace

// What is still on its way now never came to a handler of Python's.
void ThreadExceptions::raise(const Exception& raised, const Emit& emit) {
  emit_if(all_, emit, [&](const Exception& e) { return !e.is_caught || e.key == raised.key; });
  if (all_.size() == kMostHandlers) {
    emit(all_.front());
    all_.erase(all_.begin());
  }
  all_.push_back(raised);
}

void ThreadExceptions::unwind(int64_t now_ns) {
  if (all_.empty() || all_.back().is_caught) return;
  ++all_.back().frames_unwound;
  all_.back().reached_ns = now_ns;
}

ThreadExceptions::Exception* ThreadExceptions::find(uint32_t key, bool is_caught) {
  const auto found =
      std::ranges::find_if(all_, [&](const Exception& e) { return e.key == key && e.is_caught == is_caught; });
  return found == all_.end() ? nullptr : &*found;
}

void ThreadExceptions::caught(uint32_t key, std::optional<LocationId> place, uint32_t depth, uint32_t frames,
                              int64_t now_ns) {
  Exception* exception = find(key, false);
  if (!exception) return;
  exception->is_caught = true;
  exception->place = place;
  exception->depth = depth;
  exception->frames_unwound += frames;
  exception->reached_ns = now_ns;
}

void ThreadExceptions::reraise(uint32_t key) {
  Exception* exception = find(key, true);
  if (!exception) return;
  exception->is_caught = false;
  exception->place.reset();
  // unwind() is about the last one.
  std::rotate(all_.begin() + (exception - all_.data()), all_.begin() + (exception - all_.data()) + 1, all_.end());
}

void ThreadExceptions::end_handlers(uint32_t depth, const Emit& emit) {
  emit_if(all_, emit, [&](const Exception& e) { return e.is_caught && e.depth >= depth; });
}

void ThreadExceptions::finish(const Emit& emit) {
  emit_if(all_, emit, [](const Exception&) { return true; });
}

}  // namespace pycroscope

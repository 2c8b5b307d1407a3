#include "analysis/passes/trace_walk.h"

#include <algorithm>

#include "analysis/passes/trace_range.h"

namespace pycroscope {
namespace {

size_t depth_of(const Symbols& symbols, StackId stack) {
  size_t depth = 0;
  for (; stack != StackId{}; stack = symbols.stack(stack).parent) ++depth;
  return depth;
}

int64_t own_duration(const TraceEvent& e) {
  switch (e.type) {
    case TraceType::kGc:
    case TraceType::kImport:
    case TraceType::kSpan:
      return static_cast<int64_t>(e.arguments[0]);
    case TraceType::kException:
      return static_cast<int64_t>(e.arguments[3]);
    case TraceType::kObjectEnd:
      return e.arguments[5] == kUnknownLifetime ? -1 : static_cast<int64_t>(e.arguments[5]);
    default:
      return -1;
  }
}

int64_t memory_change(const TraceEvent& e) {
  if (e.type == TraceType::kAllocation) return static_cast<int64_t>(e.arguments[1]);
  return e.type == TraceType::kFree ? -static_cast<int64_t>(e.arguments[1]) : 0;
}

}  // namespace

void TraceWalk::step(Thread& thread, WalkedEvent& e) {
  const Symbols& symbols = reader_.symbols();
  if (is_exit(e.event.type)) {
    if (!thread.entries.empty()) {
      if (thread.entries.back() >= 0) e.duration_ns = e.event.time_ns - thread.entries.back();
      thread.entries.pop_back();
    }
  } else if (is_entry(e.event.type) || thread.stack == StackId{}) {
    thread.entries.push_back(is_entry(e.event.type) ? e.event.time_ns : -1);
  }
  thread.stack = steps_(symbols, thread.stack, e.event.type, e.event.id, [&](const StackStep& s) {
    const auto location = symbols.find_location(s.location);
    return location ? symbols.find_stack(s.parent, *location).value_or(StackId{}) : StackId{};
  });
}

void TraceWalk::walk(const TraceRun& run, const TraceEvent* events, Thread& thread, std::vector<WalkedEvent>& out) {
  if (!thread.is_known || thread.stack != run.stack) {
    thread.is_known = true;
    thread.stack = run.stack;
    thread.entries.assign(depth_of(reader_.symbols(), run.stack), -1);
  }
  LabelSetId labels = run.labels;
  for (uint32_t i = 0; i < run.count; ++i) {
    const TraceEvent& event = events[i];
    if (event.type == TraceType::kLocal && i > 0) {
      out.back().locals.emplace_back(StringId{event.id}, StringId{static_cast<uint32_t>(event.arguments[0])});
      continue;
    }
    if (event.type == TraceType::kLabels) labels = LabelSetId{event.id};
    WalkedEvent e{.event = event,
                  .thread = run.thread,
                  .labels = labels,
                  .stack = {},
                  .duration_ns = own_duration(event),
                  .memory_bytes = memory_change(event),
                  .locals = {}};
    if (moves(event.type)) step(thread, e);
    if (event.type == TraceType::kThreadEnd) thread = {.is_known = true, .stack = {}, .entries = {}};
    e.stack = thread.stack;
    out.push_back(std::move(e));
  }
}

std::vector<WalkedEvent> TraceWalk::block(const TraceBlockPlace& place) {
  std::vector<WalkedEvent> result;
  const std::optional<TraceColumns> columns = reader_.trace_block(place);
  if (!columns) return result;
  std::vector<TraceEvent> events;
  const uint64_t* arguments = columns->arguments.data();
  for (size_t i = 0; i < columns->size(); ++i) {
    TraceEvent e{.time_ns = columns->time_ns[i], .type = columns->type[i], .id = columns->id[i]};
    const uint8_t count = trace_shape(e.type).argument_count;
    std::copy_n(arguments, count, e.arguments.begin());
    arguments += count;
    events.push_back(e);
  }
  result.reserve(events.size());
  const TraceEvent* next = events.data();
  for (const TraceRun& run : columns->runs) {
    if (index(run.thread) >= threads_.size()) threads_.resize(index(run.thread) + 1);
    walk(run, next, threads_[index(run.thread)], result);
    next += run.count;
  }
  std::ranges::stable_sort(result, {},
                           [](const WalkedEvent& e) { return std::pair(e.event.time_ns, index(e.thread)); });
  return result;
}

std::vector<ThreadState> threads_at(const EventReader& reader, int64_t time_ns) {
  return RawTally(reader).states_at(time_ns);
}

}  // namespace pycroscope

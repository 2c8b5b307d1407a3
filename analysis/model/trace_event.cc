#include "analysis/model/trace_event.h"

#include <algorithm>

namespace pycroscope {
namespace {

using enum TraceRef;

constexpr TraceShape kTraceShapes[kTraceTypes] = {
    {"call", kFunction, 0, {}, {}},
    {"return", kFunction, 0, {}, {}},
    {"resume", kFunction, 0, {}, {}},
    {"yield", kFunction, 0, {}, {}},
    {"throw", kFunction, 0, {}, {}},
    {"unwind", kFunction, 0, {}, {}},
    {"c_call", kFunction, 0, {}, {}},
    {"c_return", kFunction, 0, {}, {}},
    {"line", kLocation, 0, {}, {}},
    {"instruction", kLocation, 0, {}, {}},
    {"allocation", kString, 2, {kNumber, kNumber}, {"address", "bytes"}},
    {"free",
     kString,
     6,
     {kNumber, kNumber, kStack, kThread, kLabels, kNumber},
     {"address", "bytes", "allocation_stack", "allocation_thread", "allocation_labels", "temporary"}},
    {"object", kString, 2, {kNumber, kNumber}, {"address", "bytes"}},
    {"object_end",
     kString,
     7,
     {kNumber, kNumber, kStack, kThread, kLabels, kNumber, kNumber},
     {"address", "bytes", "birth_stack", "birth_thread", "birth_labels", "lifetime_ns", "refcount_max"}},
    {"gc", kNumber, 3, {kNumber, kNumber, kNumber}, {"pause_ns", "collected", "uncollectable"}},
    {"import", kString, 4, {kNumber, kNumber, kString, kFileOrNone}, {"total_ns", "self_ns", "parent", "file_plus_1"}},
    {"exception",
     kString,
     4,
     {kStack, kLocationOrNone, kNumber, kNumber},
     {"raised_stack", "caught_location_plus_1", "frames_unwound", "cost_ns"}},
    {"span", kString, 2, {kNumber, kString}, {"duration_ns", "category"}},
    {"counter", kString, 1, {kNumber}, {"value"}},
    {"heap", kString, 4, {kNumber, kNumber, kNumber, kString}, {"count", "bytes", "largest_length", "referrer"}},
    {"labels", kLabels, 0, {}, {}},
    {"local", kString, 1, {kString}, {"text"}},
    {"thread_start", kNumber, 0, {}, {}},
    {"thread_end", kNumber, 0, {}, {}},
    {"loss", kNumber, 1, {kNumber}, {"count"}},
};

// How many there are of what a reference is to, 0 standing for none where there may be none.
uint64_t known_count(TraceRef ref, const Symbols::Mark& known) {
  switch (ref) {
    case kNumber:
      return UINT64_MAX;
    case kFunction:
      return known.functions;
    case kLocation:
      return known.locations;
    case kString:
      return known.strings;
    case kStack:
      return known.stacks;
    case kThread:
      return known.threads;
    case kLabels:
      return known.label_sets;
    case kFileOrNone:
      return uint64_t{known.files} + 1;
    case kLocationOrNone:
      return uint64_t{known.locations} + 1;
  }
  return 0;
}

}  // namespace

const TraceShape& trace_shape(TraceType type) { return kTraceShapes[static_cast<size_t>(type)]; }

void TraceColumns::push_back(const TraceEvent& event) {
  type.push_back(event.type);
  id.push_back(event.id);
  time_ns.push_back(event.time_ns);
  const uint8_t count = trace_shape(event.type).argument_count;
  arguments.insert(arguments.end(), event.arguments.begin(), event.arguments.begin() + count);
  ++runs.back().count;
}

void TraceColumns::append(const TraceColumns& later) {
  const auto extend = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
  extend(runs, later.runs);
  extend(type, later.type);
  extend(id, later.id);
  extend(time_ns, later.time_ns);
  extend(arguments, later.arguments);
}

void TraceColumns::clear() {
  runs.clear();
  type.clear();
  id.clear();
  time_ns.clear();
  arguments.clear();
}

bool are_known(const TraceColumns& events, const Symbols::Mark& known) {
  const bool runs_known = std::ranges::all_of(events.runs, [&](const TraceRun& run) {
    return index(run.thread) < known.threads && index(run.stack) < known.stacks && index(run.labels) < known.label_sets;
  });
  if (!runs_known) return false;
  std::array<uint32_t, kTraceTypes> ids{};
  std::array<std::array<uint64_t, kMaxTraceArguments>, kTraceTypes> arguments{};
  const uint64_t* next = events.arguments.data();
  for (size_t i = 0; i < events.size(); ++i) {
    const auto type = static_cast<size_t>(events.type[i]);
    ids[type] = std::max(ids[type], events.id[i]);
    for (uint8_t a = 0; a < kTraceShapes[type].argument_count; ++a, ++next)
      arguments[type][a] = std::max(arguments[type][a], *next);
  }
  std::array<bool, kTraceTypes> occurs{};
  for (const TraceType type : events.type) occurs[static_cast<size_t>(type)] = true;
  for (size_t type = 0; type < kTraceTypes; ++type) {
    const TraceShape& shape = kTraceShapes[type];
    if (!occurs[type]) continue;
    if (ids[type] >= known_count(shape.id, known)) return false;
    for (uint8_t a = 0; a < shape.argument_count; ++a)
      if (shape.arguments[a] != kNumber && arguments[type][a] >= known_count(shape.arguments[a], known)) return false;
  }
  return true;
}

TraceSummary summarize(const TraceColumns& events) {
  if (events.size() == 0) return {};
  const auto [min, max] = std::ranges::minmax(events.time_ns);
  return {static_cast<uint32_t>(events.size()), min, max};
}

}  // namespace pycroscope

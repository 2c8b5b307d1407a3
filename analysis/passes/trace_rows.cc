#include "analysis/passes/trace_rows.h"

#include <algorithm>

namespace pycroscope {

TracePlace place_of(const PassContext& context, ThreadId thread, LabelSetId labels, StackId stack) {
  const Symbols& symbols = context.symbols();
  TracePlace place{.function = std::nullopt,
                   .line = 0,
                   .group = context.group_of(thread, labels),
                   .process = index(symbols.thread(thread).process) + 1};
  if (stack == StackId{}) return place;
  const Location& location = symbols.location(symbols.stack(stack).location);
  place.function = location.function;
  place.line = location.line;
  return place;
}

std::optional<uint32_t> TracePlaces::of(const TallyContext& who, StackId stack) {
  if (!context_.selects(who.thread, who.labels)) return std::nullopt;
  const TracePlace place = place_of(context_, who.thread, who.labels, stack);
  if (place.function ? !context_.selects(*place.function) : !context_.selects_all()) return std::nullopt;
  const uint32_t number = index_({place.function ? index(*place.function) + 1 : 0, place.line, place.group});
  if (number == places_.size()) places_.push_back(place);
  places_[number].process = common_process(places_[number].process, place.process);
  return number;
}

std::vector<KeptEvent> kept_events(const PassContext& context, TraceType type) {
  std::vector<KeptEvent> events;
  if (!context.trace()) return events;
  std::ranges::copy_if(context.trace()->kept(), std::back_inserter(events),
                       [&](const KeptEvent& e) { return e.event.type == type && context.selects(e.thread, e.labels); });
  std::ranges::stable_sort(events, {}, [](const KeptEvent& e) { return e.event.time_ns; });
  return events;
}

}  // namespace pycroscope

// What the views of single trace events share: where something happened, and who did it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>
#include <vector>

#include "analysis/passes/context.h"
#include "analysis/passes/row_table.h"

namespace pycroscope {

// The line of the innermost frame, and the group it is counted in.
struct TracePlace {
  std::optional<FunctionId> function;
  uint32_t line = 0, group = 0;
  uint32_t process = 0;  // id + 1, 0: of several
};

TracePlace place_of(const PassContext& context, ThreadId thread, LabelSetId labels, StackId stack);

// Numbers the places that the request's filter lets through.
class TracePlaces {
 public:
  explicit TracePlaces(const PassContext& context) : context_(context) {}
  std::optional<uint32_t> of(const TallyContext& who, StackId stack);
  // By number. Their processes are right when all have been asked for.
  const std::vector<TracePlace>& places() const { return places_; }

 private:
  const PassContext& context_;
  DenseIndex index_;
  std::vector<TracePlace> places_;
};

// A place in an order that does not depend on how the session was recorded.
inline std::tuple<std::tuple<std::string_view, std::string_view, uint32_t, uint32_t>, uint32_t,
                  std::tuple<uint32_t, uint32_t, std::string_view>>
place_order(const PassContext& context, const TracePlace& place) {
  return {place.function ? function_order(context.symbols(), *place.function)
                         : std::tuple<std::string_view, std::string_view, uint32_t, uint32_t>(),
          place.line, group_order(context, place.group)};
}

// The kept events of a type that the filter lets through, in order of time.
std::vector<KeptEvent> kept_events(const PassContext& context, TraceType type);

// Appends to the columns that say which thread did something, where the session has several processes or threads are
// told apart.
template <class Table>
void add_thread(Table& table, const PassContext& context, ViewSymbols& symbols, ThreadId thread) {
  if (context.tells_processes()) table.add_process(symbols.process(context.symbols().thread(thread).process) + 1);
  if (context.grouping().by(kByThread)) table.add_thread(symbols.thread(thread) + 1);
}

}  // namespace pycroscope

#include "daemon/session/event_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "analysis/passes/context.h"
#include "analysis/passes/trace_walk.h"
#include "analysis/passes/view_symbols.h"
#include "daemon/target/proc_text.h"

namespace pycroscope {
namespace {

// Where a page begins: a block, and how many of its samples in range, or of its trace events, come before.
// "BLOCK.OFFSET" as a cursor for samples, "tBLOCK.OFFSET" for the trace.
struct Position {
  bool is_trace = false;
  uint32_t block = 0, offset = 0;
};

std::optional<Position> parse_cursor(std::string_view cursor) {
  if (cursor.empty()) return Position{};
  const bool is_trace = cursor.starts_with('t');
  if (is_trace) cursor.remove_prefix(1);
  const size_t dot = std::min(cursor.find('.'), cursor.size());
  const auto block = parse_number<uint32_t>(cursor.substr(0, dot));
  const auto offset = parse_number<uint32_t>(cursor.substr(std::min(dot + 1, cursor.size())));
  if (!block || !offset) return std::nullopt;
  return Position{is_trace, *block, *offset};
}

class PageBuilder {
 public:
  PageBuilder(const EventReader& reader, v1::EventPage& page)
      : symbols_(reader.symbols()), page_(page), names_(reader, *page.mutable_symbols()) {
    page_.add_stack_parent(0);
    page_.add_stack_frame(0);
    stacks_.emplace(0, 0);
  }

  void add(const Sample& sample) {
    page_.add_time_ns(sample.time_ns);
    page_.add_thread(names_.thread(sample.thread));
    page_.add_stack(stack(sample.stack));
    page_.add_label_set(names_.labels(symbols_.labels(sample.labels)));
    page_.add_weight_ns(sample.weight_ns);
    page_.add_truncated(sample.truncated);
  }

  void add(const WalkedEvent& walked) {
    const TraceEvent& event = walked.event;
    v1::ExecutionEvent& e = *page_.add_trace();
    e.set_type(static_cast<v1::ExecutionEventType>(static_cast<int>(event.type) + 1));
    e.set_time_ns(event.time_ns);
    e.set_thread(names_.thread(walked.thread));
    e.set_label_set(names_.labels(symbols_.labels(walked.labels)));
    e.set_stack(stack(walked.stack));
    e.set_duration_ns(walked.duration_ns);
    e.set_memory_bytes(walked.memory_bytes);
    e.set_cpu_ns(-1);
    add_place(e, walked);
    const TraceShape& shape = trace_shape(event.type);
    if (shape.id == TraceRef::kString) e.set_name(names_.text(symbols_.string(StringId{event.id})));
    if (shape.id == TraceRef::kNumber && event.type != TraceType::kThreadStart && event.type != TraceType::kThreadEnd)
      add_argument(e, event.type == TraceType::kGc ? "generation" : "reason", event.id);
    for (uint8_t i = 0; i < shape.argument_count; ++i) {
      if (shape.argument_names[i] == "address")
        e.set_address(event.arguments[i]);
      else
        add_argument(e, shape.argument_names[i], event.arguments[i]);
    }
    for (const auto& [name, text] : walked.locals) {
      v1::EventVariable& local = *e.add_locals();
      local.set_name(names_.text(symbols_.string(name)));
      local.set_text(names_.text(symbols_.string(text)));
    }
  }

  void add_start(const ThreadState& state) {
    v1::ThreadPosition& at = *page_.add_at_start();
    at.set_thread(names_.thread(state.thread));
    at.set_stack(stack(state.stack));
    at.set_label_set(names_.labels(symbols_.labels(state.labels)));
  }

 private:
  static void add_argument(v1::ExecutionEvent& e, std::string_view name, uint64_t value) {
    v1::EventArgument& argument = *e.add_arguments();
    argument.set_name(std::string(name));
    argument.set_value(value);
  }

  // The function that is entered or left; of what happens within one, that one.
  void add_place(v1::ExecutionEvent& e, const WalkedEvent& walked) {
    e.set_offset(-1);
    const TraceShape& shape = trace_shape(walked.event.type);
    if (shape.id == TraceRef::kFunction) e.set_function(names_.function(FunctionId{walked.event.id}) + 1);
    if (walked.stack == StackId{}) return;
    const Location& location = symbols_.location(symbols_.stack(walked.stack).location);
    if (shape.id != TraceRef::kFunction) e.set_function(names_.function(location.function) + 1);
    e.set_line(location.line);
    e.set_offset(location.offset);
  }

  // Stacks can be hundreds of frames deep: no recursion.
  uint32_t stack(StackId id) {
    std::vector<StackId> missing;
    while (!stacks_.contains(index(id))) {
      missing.push_back(id);
      id = symbols_.stack(id).parent;
    }
    uint32_t parent = stacks_.at(index(id));
    while (!missing.empty()) {
      const auto number = static_cast<uint32_t>(page_.stack_parent_size());
      page_.add_stack_parent(parent);
      page_.add_stack_frame(frame(symbols_.stack(missing.back()).location));
      stacks_.emplace(index(missing.back()), number);
      parent = number;
      missing.pop_back();
    }
    return parent;
  }

  uint32_t frame(LocationId id) {
    v1::Frames& frames = *page_.mutable_symbols()->mutable_frames();
    const auto [entry, added] = frames_.try_emplace(index(id), static_cast<uint32_t>(frames.function_size()));
    if (added) {
      const Location& location = symbols_.location(id);
      frames.add_function(names_.function(location.function));
      frames.add_line(location.line);
      frames.add_offset(location.offset);
    }
    return entry->second;
  }

  const Symbols& symbols_;
  v1::EventPage& page_;
  ViewSymbols names_;
  std::unordered_map<uint32_t, uint32_t> stacks_, frames_;
};

// What a request lets through, and how far a page goes.
class PageMaker {
 public:
  static Result<PageMaker> create(const EventReader& reader, const v1::ListEventsRequest& request) {
    const std::optional<Position> start = parse_cursor(request.cursor());
    if (!start) return fail(ErrorCode::kInvalid, "the cursor is none that was given out: leave it out to start again");
    PYC_TRY(const EventFilter range, time_range(request.filter()));
    PYC_TRY(const FunctionFilter functions, FunctionFilter::create(reader.symbols(), request.filter()));
    return PageMaker(reader, request, *start, range, select_stacks(reader.symbols(), functions));
  }

  v1::EventPage make() {
    PageBuilder builder(reader_, page_);
    if (start_.is_trace || !add_samples(builder)) add_trace(builder);
    return std::move(page_);
  }

 private:
  PageMaker(const EventReader& reader, const v1::ListEventsRequest& request, Position start, EventFilter range,
            std::vector<uint8_t> stacks)
      : reader_(reader),
        request_(request),
        start_(start),
        range_(range),
        wanted_(reader.symbols(), request.filter()),
        stacks_(std::move(stacks)),
        size_(request.page_size() == 0 ? kDefaultPage : std::min(request.page_size(), kMaxPage)) {}

  bool is_full() const { return static_cast<uint32_t>(page_.time_ns_size() + page_.trace_size()) == size_; }

  // Whether the page ended before the samples did.
  bool add_samples(PageBuilder& builder) {
    uint32_t offset = start_.offset;
    for (uint32_t number = start_.block; number < reader_.block_count(); ++number, offset = 0) {
      const SampleColumns block = reader_.block(number, range_);
      for (; offset < block.size(); ++offset) {
        if (!wanted_(block, offset) || !stacks_[block.stack[offset]]) continue;
        if (is_full()) {
          page_.set_next_cursor(fmt::format("{}.{}", number, offset));
          return true;
        }
        builder.add(block.at(offset));
      }
    }
    return false;
  }

  bool is_wanted(const WalkedEvent& e) const {
    if (e.event.time_ns < range_.from_ns || e.event.time_ns >= range_.to_ns) return false;
    if (!wanted_(e.thread, e.labels) || !stacks_[index(e.stack)]) return false;
    return request_.types().empty() ||
           std::ranges::find(request_.types(), static_cast<int>(e.event.type) + 1) != request_.types().end();
  }

  void add_trace(PageBuilder& builder) {
    const auto blocks = reader_.trace_blocks();
    if (blocks.empty()) return;
    if (!start_.is_trace && request_.cursor().empty())
      for (const ThreadState& state : threads_at(reader_, range_.from_ns))
        if (wanted_(state.thread, state.labels)) builder.add_start(state);
    TraceWalk walk(reader_);
    const uint32_t first = start_.is_trace ? start_.block : 0;
    for (const TraceBlockPlace& place : blocks) {
      if (place.number < first || place.summary.max_ns < range_.from_ns) continue;
      if (place.summary.min_ns >= range_.to_ns) break;
      const std::vector<WalkedEvent> events = walk.block(place);
      for (uint32_t i = place.number == first && start_.is_trace ? start_.offset : 0; i < events.size(); ++i) {
        if (!is_wanted(events[i])) continue;
        if (is_full()) return page_.set_next_cursor(fmt::format("t{}.{}", place.number, i));
        builder.add(events[i]);
      }
    }
  }

  const EventReader& reader_;
  const v1::ListEventsRequest& request_;
  Position start_;
  EventFilter range_;
  SampleFilter wanted_;
  std::vector<uint8_t> stacks_;
  uint32_t size_;
  v1::EventPage page_;
};

}  // namespace

Result<v1::EventPage> event_page(const EventReader& reader, const v1::ListEventsRequest& request) {
  PYC_TRY(PageMaker maker, PageMaker::create(reader, request));
  return maker.make();
}

}  // namespace pycroscope

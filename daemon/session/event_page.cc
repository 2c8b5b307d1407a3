#include "daemon/session/event_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "analysis/passes/context.h"
#include "analysis/passes/view_symbols.h"
#include "daemon/target/proc_text.h"

namespace pycroscope {
namespace {

// Where a page begins: a block, and how many of its samples in range come before. "BLOCK.OFFSET" as a cursor.
struct Position {
  uint32_t block = 0, offset = 0;
};

std::optional<Position> parse_cursor(const std::string& cursor) {
  if (cursor.empty()) return Position{};
  const size_t dot = std::min(cursor.find('.'), cursor.size());
  const auto block = parse_number<uint32_t>(std::string_view(cursor).substr(0, dot));
  const auto offset = parse_number<uint32_t>(std::string_view(cursor).substr(std::min(dot + 1, cursor.size())));
  if (!block || !offset) return std::nullopt;
  return Position{*block, *offset};
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

 private:
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

}  // namespace

Result<v1::EventPage> event_page(const EventReader& reader, const v1::ListEventsRequest& request) {
  const std::optional<Position> start = parse_cursor(request.cursor());
  if (!start) return fail(ErrorCode::kInvalid, "the cursor is none that was given out: leave it out to start again");
  const uint32_t size = request.page_size() == 0 ? kDefaultPage : std::min(request.page_size(), kMaxPage);
  PYC_TRY(const EventFilter range, time_range(request.filter()));
  const SampleFilter wanted(reader.symbols(), request.filter());
  PYC_TRY(const FunctionFilter functions, FunctionFilter::create(reader.symbols(), request.filter()));
  const std::vector<uint8_t> stacks = select_stacks(reader.symbols(), functions);

  v1::EventPage page;
  PageBuilder builder(reader, page);
  uint32_t offset = start->offset;
  for (uint32_t number = start->block; number < reader.block_count(); ++number, offset = 0) {
    const SampleColumns block = reader.block(number, range);
    for (; offset < block.size(); ++offset) {
      if (!wanted(block, offset) || !stacks[block.stack[offset]]) continue;
      if (static_cast<uint32_t>(page.time_ns_size()) == size) {
        page.set_next_cursor(fmt::format("{}.{}", number, offset));
        return page;
      }
      builder.add(block.at(offset));
    }
  }
  return page;
}

}  // namespace pycroscope

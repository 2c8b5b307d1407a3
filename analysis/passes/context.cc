#include "analysis/passes/context.h"

#include <fmt/format.h>
#include <fnmatch.h>
#include <re2/re2.h>

#include <algorithm>

#include "analysis/model/loss.h"

namespace pycroscope {
namespace {

bool glob_matches(const std::string& glob, std::string_view path) {
  if (!glob.contains('/')) path.remove_prefix(path.rfind('/') + 1);
  return fnmatch(glob.c_str(), std::string(path).c_str(), 0) == 0;
}

std::vector<std::string> group_keys(const Symbols& symbols, const v1::ViewRequest& request) {
  if (request.kind() == v1::VIEW_KIND_TREE && request.group_by().empty() && symbols.mark().processes > 1)
    return {std::string(kByProcess)};
  return {request.group_by().begin(), request.group_by().end()};
}

// Rows of a view of memory at most.
constexpr uint64_t kMemorySlots = 2000;
// One slot for all.
constexpr unsigned kLongestSlot = 62;

bool has_trace(const EventReader& reader) { return !reader.trace_blocks().empty() || !reader.buckets(0).empty(); }

Result<std::optional<TraceRange>> trace_of(const EventReader& reader, const v1::ViewRequest& request,
                                           EventFilter range) {
  if (!has_trace(reader)) return std::nullopt;
  range.to_ns = std::max(std::min(range.to_ns, reader.session().duration_ns()), range.from_ns);
  const unsigned shift = request.kind() == v1::VIEW_KIND_MEMORY ? slot_shift_for(range, kMemorySlots) : kLongestSlot;
  PYC_TRY(TraceRange trace, tally_range(reader, range, request.refine(), shift));
  return trace;
}

}  // namespace

Result<FunctionFilter> FunctionFilter::create(const Symbols& symbols, const v1::ViewFilter& filter) {
  FunctionFilter result;
  if (filter.function_regex().empty() && filter.file_glob().empty()) return result;
  RE2 regex(filter.function_regex(), RE2::Quiet);
  if (!regex.ok())
    return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is not a regular expression ({}); give one in RE2's syntax",
                                                 filter.function_regex(), regex.error()));
  uint32_t functions = symbols.mark().functions;
  result.wanted_.resize(std::max(functions, 1u));
  for (uint32_t i = 0; i < functions; ++i) {
    const Function& f = symbols.function(FunctionId{i});
    std::string_view name = symbols.string(f.name);
    bool file_matches =
        filter.file_glob().empty() || glob_matches(filter.file_glob(), symbols.string(symbols.file(f.file).path));
    result.wanted_[i] = file_matches && RE2::PartialMatch(re2::StringPiece(name.data(), name.size()), regex);
  }
  return result;
}

Result<PassContext> PassContext::create(const EventReader& reader, const v1::ViewRequest& request) {
  const v1::ViewFilter& filter = request.filter();
  PYC_TRY(EventFilter range, time_range(filter));
  PYC_TRY(FunctionFilter functions, FunctionFilter::create(reader.symbols(), filter));
  PYC_TRY(std::optional<TraceRange> trace, trace_of(reader, request, range));
  PYC_TRY(std::vector<StackWeight> stacks, count_stacks(reader, filter, trace ? &trace->tally : nullptr));
  // In a tree a process's time is its own and that of all that it has started; in a table each has a row.
  const auto processes =
      request.kind() == v1::VIEW_KIND_TREE ? Grouping::Processes::kNested : Grouping::Processes::kSideBySide;
  PYC_TRY(Grouping grouping, Grouping::create(reader.symbols(), group_keys(reader.symbols(), request), processes));
  for (StackWeight& s : stacks) s.group = grouping.add(s.thread, s.labels);
  if (trace) {
    range.from_ns = trace->from_ns;
    range.to_ns = trace->to_ns;
    const SampleFilter selects(reader.symbols(), filter);
    for (const TallyContext& c : trace->tally.contexts())
      if (selects(c.thread, c.labels)) grouping.add(c.thread, c.labels);
  }
  return PassContext(reader, request, range, std::move(functions), std::move(trace), std::move(stacks),
                     std::move(grouping));
}

std::vector<uint8_t> select_stacks(const Symbols& symbols, const FunctionFilter& functions) {
  std::vector<uint8_t> selected(symbols.mark().stacks, functions.all());
  if (functions.all()) return selected;
  // A stack's caller has a smaller id, so one pass in order of ids suffices.
  for (uint32_t i = 1; i < selected.size(); ++i) {
    const Stack& stack = symbols.stack(StackId{i});
    selected[i] = selected[index(stack.parent)] || functions(symbols.location(stack.location).function);
  }
  return selected;
}

std::vector<StackWeight> PassContext::stacks_with_selected() const {
  if (functions_.all()) return stacks_;
  std::vector<uint8_t> selected = stack_selection();
  std::vector<StackWeight> result;
  std::ranges::copy_if(stacks_, std::back_inserter(result),
                       [&](const StackWeight& s) { return selected[index(s.stack)]; });
  return result;
}

const CallTrie& PassContext::calls(bool lines) {
  std::unique_ptr<CallTrie>& trie = tries_[lines];
  if (!trie) trie = std::make_unique<CallTrie>(symbols(), grouping_, stacks_, lines);
  return *trie;
}

Result<Tally> PassContext::trace_until_end() const {
  PYC_TRY(TraceRange whole, tally_range(reader_, {.from_ns = 0, .to_ns = range_.to_ns}, true, kLongestSlot));
  return std::move(whole.tally);
}

v1::Knows PassContext::knows() const {
  v1::SampleMode mode = reader_.session().config().mode();
  v1::Knows knows;
  const auto traces = [this](std::string_view what) {
    const auto& recorded = reader_.session().config().trace();
    return std::ranges::find(recorded, what) != recorded.end();
  };
  knows.set_calls(traces("call") || traces("c-call"));
  knows.set_hits(traces("line") || traces("instruction"));
  knows.set_allocations(traces("memory"));
  knows.set_objects(traces("object"));
  knows.set_samples(mode != v1::SAMPLE_MODE_UNSPECIFIED);
  knows.set_cpu(mode == v1::SAMPLE_MODE_CPU || mode == v1::SAMPLE_MODE_WALL);
  knows.set_wall(mode == v1::SAMPLE_MODE_WALL || mode == v1::SAMPLE_MODE_GIL || knows.calls() || knows.hits());
  knows.set_gil(mode == v1::SAMPLE_MODE_WALL || mode == v1::SAMPLE_MODE_GIL);
  knows.set_off_cpu(mode == v1::SAMPLE_MODE_WALL);
  return knows;
}

v1::ViewHeader PassContext::header() const {
  const v1::Session& session = reader_.session();
  v1::ViewHeader header;
  header.set_session(session.id());
  header.set_exact(!trace_ || trace_->exact);
  header.set_processes(symbols().mark().processes);
  header.mutable_group_by()->Assign(grouping_.keys().begin(), grouping_.keys().end());
  int64_t end = std::min(range_.to_ns, session.duration_ns());
  header.set_from_ns(std::min(range_.from_ns, end));
  header.set_to_ns(end);
  *header.mutable_loss() = session.loss();
  if (uint64_t damaged = std::min(reader_.damaged_events(), session.loss().recorded())) {
    header.mutable_loss()->set_recorded(session.loss().recorded() - damaged);
    add_loss(*header.mutable_loss(), v1::LOSS_REASON_CORRUPT_BLOCK, damaged);
  }
  Weight total;
  for (const StackWeight& s : stacks_) total += s.weight;
  header.set_total_samples(total.samples);
  *header.mutable_knows() = knows();
  if (knows().cpu()) header.set_total_cpu_ns(total.cpu_ns);
  if (knows().wall()) header.set_total_wall_ns(total.ns);
  return header;
}

}  // namespace pycroscope

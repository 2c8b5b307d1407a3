// What the passes of one request share: each thing is computed once, when first asked for.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "analysis/model/events.h"
#include "analysis/model/result.h"
#include "analysis/passes/call_trie.h"
#include "analysis/passes/grouping.h"
#include "analysis/passes/stack_weights.h"
#include "analysis/passes/trace_range.h"
#include "pycroscope/v1/views.pb.h"

namespace pycroscope {

// Which functions the filter's regular expression and file glob let through. A glob without a slash is matched with
// the file's name, one with a slash with its path.
class FunctionFilter {
 public:
  // kInvalid, with the reason, for a pattern that is none.
  static Result<FunctionFilter> create(const Symbols& symbols, const v1::ViewFilter& filter);
  bool all() const { return wanted_.empty(); }
  bool operator()(FunctionId function) const { return all() || wanted_[index(function)]; }

 private:
  std::vector<uint8_t> wanted_;  // by function, empty: all
};

// By stack id, whether a function on the stack is let through.
std::vector<uint8_t> select_stacks(const Symbols& symbols, const FunctionFilter& functions);

class PassContext {
 public:
  // kInvalid for a filter or a grouping that makes no sense. Scans the session's samples in range. Both must outlive
  // the context.
  static Result<PassContext> create(const EventReader& reader, const v1::ViewRequest& request);

  const v1::ViewRequest& request() const { return request_; }
  const EventReader& reader() const { return reader_; }
  const Symbols& symbols() const { return reader_.symbols(); }
  // Of all samples and trace events in the filter's range, threads and labels.
  std::span<const StackWeight> stacks() const { return stacks_; }
  // Those of them that have at least one function that the filter lets through.
  std::vector<StackWeight> stacks_with_selected() const;
  std::vector<uint8_t> stack_selection() const { return select_stacks(symbols(), functions_); }
  // Whether the filter lets the function through.
  bool selects(FunctionId function) const { return functions_(function); }
  bool selects_all() const { return functions_.all(); }
  const Grouping& grouping() const { return grouping_; }
  // What the trace adds up to in the filter's range, of all threads and labels; null where the session has none.
  const Tally* trace() const { return trace_ ? &trace_->tally : nullptr; }
  // From the session's start to the end of that range.
  Result<Tally> trace_until_end() const;
  // Whether the filter's threads and labels let through what such a thread did.
  bool selects(ThreadId thread, LabelSetId labels) const { return filter_(thread, labels); }
  // The group of what such a thread did, which stacks() or trace() must have.
  uint32_t group_of(ThreadId thread, LabelSetId labels) const { return grouping_.of(thread, labels); }
  // Whether rows have to say which process they are of.
  bool tells_processes() const { return symbols().mark().processes > 1 || grouping_.by(kByProcess); }
  // Calls of all stacks(), by group.
  const CallTrie& calls(bool lines);

  // Everything but `kind` and `total_rows`. Totals are of all stacks().
  v1::ViewHeader header() const;
  // Which figures the session can know.
  v1::Knows knows() const;

 private:
  PassContext(const EventReader& reader, const v1::ViewRequest& request, EventFilter range, FunctionFilter functions,
              std::optional<TraceRange> trace, std::vector<StackWeight> stacks, Grouping grouping)
      : reader_(reader),
        request_(request),
        range_(range),
        functions_(std::move(functions)),
        filter_(reader.symbols(), request.filter()),
        trace_(std::move(trace)),
        stacks_(std::move(stacks)),
        grouping_(std::move(grouping)) {}

  const EventReader& reader_;
  const v1::ViewRequest& request_;
  EventFilter range_;
  FunctionFilter functions_;
  SampleFilter filter_;
  std::optional<TraceRange> trace_;
  std::vector<StackWeight> stacks_;
  Grouping grouping_;
  std::unique_ptr<CallTrie> tries_[2];  // without and with lines
};

}  // namespace pycroscope

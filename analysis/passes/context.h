// What the passes of one request share: each thing is computed once, when first asked for.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "analysis/model/events.h"
#include "analysis/model/result.h"
#include "analysis/passes/call_trie.h"
#include "analysis/passes/grouping.h"
#include "analysis/passes/stack_weights.h"
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
  // Of all samples in the filter's range, threads and labels.
  std::span<const StackWeight> stacks() const { return stacks_; }
  // Those of them that have at least one function that the filter lets through.
  std::vector<StackWeight> stacks_with_selected() const;
  std::vector<uint8_t> stack_selection() const { return select_stacks(symbols(), functions_); }
  // Whether the filter lets the function through.
  bool selects(FunctionId function) const { return functions_(function); }
  const Grouping& grouping() const { return grouping_; }
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
              std::vector<StackWeight> stacks, Grouping grouping)
      : reader_(reader),
        request_(request),
        range_(range),
        functions_(std::move(functions)),
        stacks_(std::move(stacks)),
        grouping_(std::move(grouping)) {}

  const EventReader& reader_;
  const v1::ViewRequest& request_;
  EventFilter range_;
  FunctionFilter functions_;
  std::vector<StackWeight> stacks_;
  Grouping grouping_;
  std::unique_ptr<CallTrie> tries_[2];  // without and with lines
};

}  // namespace pycroscope

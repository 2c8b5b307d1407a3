// Every view equals what a naive computation, sample by sample, makes of the same random session.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include "analysis/passes/pass.h"
#include "analysis/passes/rows.h"
#include "tests/unit/support/memory_events.h"

namespace pycroscope {
namespace {

struct Cost {
  uint64_t samples = 0;
  int64_t ns = 0;
  auto operator<=>(const Cost&) const = default;
};
using Names = std::vector<std::string>;
// (self, total) by a row's names.
using Costs = std::map<Names, std::pair<Cost, Cost>>;

void charge(Cost& cost, int64_t ns) {
  ++cost.samples;
  cost.ns += ns;
}

struct Frame {
  std::string function, file;
  uint32_t line = 0;
  auto operator<=>(const Frame&) const = default;
};

struct PlainSample {
  int64_t time_ns, weight_ns;
  std::string thread;
  int32_t tid;
  bool labelled = false;
  std::vector<Frame> stack;  // root first
};

struct RandomSession {
  test::MemoryEvents events;
  std::vector<PlainSample> samples;
};

void fill_random(RandomSession& session, std::mt19937& random) {
  auto pick = [&](uint32_t n) { return static_cast<uint32_t>(random() % n); };
  Symbols& symbols = session.events.mutable_symbols();
  session.events.set_batch_size(1 + pick(50));
  ProcessId process = symbols.intern_process({1, symbols.intern_string("python x.py")});
  uint32_t functions = 1 + pick(6), threads = 1 + pick(3), count = pick(300);
  std::vector<Label> label = {{symbols.intern_string("task"), symbols.intern_string("A")}};
  LabelSetId labelled = symbols.intern_labels(label);
  std::vector<ThreadId> ids;
  for (uint32_t t = 0; t < threads; ++t)
    ids.push_back(
        symbols.add_thread(process, static_cast<int32_t>(t + 10), symbols.intern_string("T" + std::to_string(t % 2))));
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t t = pick(threads);
    PlainSample plain{.time_ns = i * 1000,
                      .weight_ns = 1 + pick(9),
                      .thread = "T" + std::to_string(t % 2),
                      .tid = static_cast<int32_t>(t + 10),
                      .labelled = pick(2) == 0,
                      .stack = {}};
    StackId stack{};
    for (uint32_t depth = pick(8); depth-- > 0;) {
      uint32_t f = pick(functions), line = 1 + pick(3);
      Frame frame{"f" + std::to_string(f), f % 2 ? "/p/odd.py" : "/p/even.py", line};
      plain.stack.push_back(frame);
      Function function{symbols.intern_string(frame.function), symbols.intern_file(symbols.intern_string(frame.file)),
                        1};
      // Offsets tell instructions of one line apart and must not split rows.
      stack = symbols.intern_stack(
          stack, symbols.intern_location({symbols.intern_function(function), line, static_cast<int32_t>(2 * pick(2))}));
    }
    session.samples.push_back(plain);
    session.events.add({.time_ns = plain.time_ns,
                        .thread = ids[t],
                        .stack = stack,
                        .labels = plain.labelled ? labelled : LabelSetId{},
                        .weight_ns = plain.weight_ns});
  }
}

struct Choice {
  v1::ViewFilter filter;
  std::string function, file;  // "" : any
};

Choice random_filter(std::mt19937& random) {
  Choice choice;
  if (random() % 2) choice.filter.set_from_ns(static_cast<int64_t>(random() % 100) * 1000);
  if (random() % 2) choice.filter.set_to_ns(choice.filter.from_ns() + static_cast<int64_t>(1 + random() % 200) * 1000);
  if (random() % 3 == 0) choice.filter.add_threads(random() % 2 ? "11" : "T0");
  if (random() % 3 == 0) (*choice.filter.mutable_labels())["task"] = "A";
  if (random() % 3 == 0) choice.function = "f" + std::to_string(random() % 4);
  if (random() % 3 == 0) choice.file = random() % 2 ? "odd.py" : "even.py";
  if (!choice.function.empty()) choice.filter.set_function_regex("^" + choice.function + "$");
  choice.filter.set_file_glob(choice.file);
  return choice;
}

bool in_filter(const PlainSample& s, const v1::ViewFilter& filter) {
  if (s.time_ns < filter.from_ns() || (filter.to_ns() && s.time_ns >= filter.to_ns())) return false;
  if (filter.threads_size() && filter.threads(0) != s.thread && filter.threads(0) != std::to_string(s.tid))
    return false;
  return filter.labels().empty() || s.labelled;
}

bool chosen(const Frame& frame, const Choice& choice) {
  return (choice.function.empty() || frame.function == choice.function) &&
         (choice.file.empty() || frame.file == "/p/" + choice.file);
}

bool any_chosen(const PlainSample& s, const Choice& choice) {
  if (choice.function.empty() && choice.file.empty()) return true;
  return std::ranges::any_of(s.stack, [&](const Frame& f) { return chosen(f, choice); });
}

// What a view's row is about, for frame `i` of the stack; none: nothing.
using NamesAt = std::function<std::optional<Names>(const std::vector<Frame>& stack, size_t i)>;

Costs reference(const RandomSession& session, const Choice& choice, const NamesAt& names_at) {
  Costs costs;
  for (const PlainSample& s : session.samples) {
    if (!in_filter(s, choice.filter)) continue;
    std::set<Names> seen;
    for (size_t i = 0; i < s.stack.size(); ++i) {
      std::optional<Names> names = names_at(s.stack, i);
      if (!names) continue;
      if (seen.insert(*names).second) charge(costs[*names].second, s.weight_ns);
      if (i + 1 == s.stack.size()) charge(costs[*names].first, s.weight_ns);
    }
  }
  return costs;
}

Costs reference_tree(const RandomSession& session, const Choice& choice) {
  Costs costs = {{{}, {}}};
  for (const PlainSample& s : session.samples) {
    if (!in_filter(s, choice.filter) || !any_chosen(s, choice)) continue;
    Names path;
    charge(costs[path].second, s.weight_ns);
    if (s.stack.empty()) path.push_back("[no Python]");
    if (s.stack.empty()) charge(costs[path].second, s.weight_ns);
    for (const Frame& f : s.stack) {
      path.push_back(f.function + ":" + std::to_string(f.line));
      charge(costs[path].second, s.weight_ns);
    }
    charge(costs[path].first, s.weight_ns);
  }
  return costs;
}

std::string text(const v1::View& view, int row, std::string_view key) {
  return std::get<std::string>(cell(view, row, **find_column(view.header().kind(), key)));
}

template <class T>
T figure(const v1::View& view, int row, std::string_view key) {
  return std::get<T>(cell(view, row, **find_column(view.header().kind(), key)));
}

std::string line(const v1::View& view, int row) { return std::to_string(figure<uint64_t>(view, row, "line")); }

v1::View compute(const RandomSession& session, const Choice& choice, v1::ViewKind kind) {
  v1::ViewRequest request;
  request.set_kind(kind);
  *request.mutable_filter() = choice.filter;
  Result<v1::View> view = compute_view(session.events, request);
  EXPECT_TRUE(view) << view.error().message;
  return *view;
}

std::pair<Cost, Cost> costs_of(const v1::View& view, int row, bool self) {
  Cost own, total = {figure<uint64_t>(view, row, "samples"), figure<int64_t>(view, row, "total_cpu_ns")};
  if (self) own = {figure<uint64_t>(view, row, "self_samples"), figure<int64_t>(view, row, "self_cpu_ns")};
  return {own, total};
}

constexpr uint32_t kSessions = 200;

// Calls `check(session, choice, random)` for many random sessions and filters.
template <class Check>
void each_session(Check check) {
  for (uint32_t seed = 0; seed < kSessions; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    RandomSession session;
    fill_random(session, random);
    check(session, random_filter(random), random);
    if (testing::Test::HasFailure()) return;
  }
}

void check_functions(const RandomSession& session, const Choice& choice, std::mt19937&) {
  v1::View view = compute(session, choice, v1::VIEW_KIND_FUNCTIONS);
  Costs actual;
  for (int r = 0; r < row_count(view); ++r)
    actual[{text(view, r, "function"), text(view, r, "file")}] = costs_of(view, r, true);
  EXPECT_EQ(actual, reference(session, choice, [&](const auto& stack, size_t i) -> std::optional<Names> {
              if (!chosen(stack[i], choice)) return {};
              return Names{stack[i].function, stack[i].file};
            }));
}

void check_lines(const RandomSession& session, const Choice& choice, std::mt19937&) {
  v1::View view = compute(session, choice, v1::VIEW_KIND_LINES);
  Costs actual;
  for (int r = 0; r < row_count(view); ++r)
    actual[{text(view, r, "function"), line(view, r)}] = costs_of(view, r, true);
  EXPECT_EQ(actual, reference(session, choice, [&](const auto& stack, size_t i) -> std::optional<Names> {
              if (!chosen(stack[i], choice)) return {};
              return Names{stack[i].function, std::to_string(stack[i].line)};
            }));
}

void check_edges(const RandomSession& session, const Choice& choice, std::mt19937&) {
  for (v1::ViewKind kind : {v1::VIEW_KIND_CALLERS, v1::VIEW_KIND_CALLEES}) {
    v1::View view = compute(session, choice, kind);
    Costs actual;
    for (int r = 0; r < row_count(view); ++r)
      actual[{text(view, r, "function"), text(view, r, "other_function")}] = costs_of(view, r, false);
    Costs expected = reference(session, choice, [&](const auto& stack, size_t i) -> std::optional<Names> {
      if (i == 0) return {};
      Frame caller = stack[i - 1], callee = stack[i];
      if (kind == v1::VIEW_KIND_CALLERS) std::swap(caller, callee);
      if (!chosen(caller, choice)) return {};
      return Names{caller.function, callee.function};
    });
    for (auto& [names, costs] : expected) costs.first = {};
    EXPECT_EQ(actual, expected) << view_kind_name(kind);
  }
}

void check_threads(const RandomSession& session, const Choice& choice, std::mt19937&) {
  v1::View view = compute(session, choice, v1::VIEW_KIND_THREADS);
  std::map<uint64_t, Cost> actual, expected;
  for (int r = 0; r < row_count(view); ++r)
    actual[figure<uint64_t>(view, r, "tid")] = {figure<uint64_t>(view, r, "samples"),
                                                figure<int64_t>(view, r, "on_cpu_ns")};
  for (const PlainSample& s : session.samples)
    if (in_filter(s, choice.filter) && any_chosen(s, choice))
      charge(expected[static_cast<uint64_t>(s.tid)], s.weight_ns);
  EXPECT_EQ(actual, expected);
}

void check_tree(const RandomSession& session, const Choice& choice, std::mt19937&) {
  v1::View view = compute(session, choice, v1::VIEW_KIND_TREE);
  Costs actual;
  std::vector<Names> paths;
  for (int r = 0; r < row_count(view); ++r) {
    Names path;
    if (r) {
      auto parent = figure<uint64_t>(view, r, "parent");
      ASSERT_LT(parent, static_cast<uint64_t>(r));
      path = paths[parent];
      std::string name = text(view, r, "function");
      path.push_back(name.starts_with('[') ? name : name + ":" + line(view, r));
    }
    paths.push_back(path);
    actual[path] = costs_of(view, r, true);
  }
  EXPECT_EQ(actual, reference_tree(session, choice));
}

// Whatever is folded, the figures of the root stay, selfs add up to it, and the limit holds.
void check_folded(const RandomSession& session, const Choice& choice, std::mt19937& random) {
  v1::ViewRequest request;
  request.set_kind(v1::VIEW_KIND_TREE);
  *request.mutable_filter() = choice.filter;
  auto limit = static_cast<uint32_t>(2 + random() % 40);
  request.mutable_tree()->set_max_nodes(limit);
  if (random() % 2) request.mutable_tree()->set_min_share(0.05);
  Result<v1::View> folded = compute_view(session.events, request);
  ASSERT_TRUE(folded) << folded.error().message;
  EXPECT_LE(row_count(*folded), static_cast<int>(limit));
  Cost selfs, root = reference_tree(session, choice)[{}].second;
  std::vector<Cost> children(static_cast<size_t>(row_count(*folded)));
  for (int r = 0; r < row_count(*folded); ++r) {
    auto [self, total] = costs_of(*folded, r, true);
    selfs = {selfs.samples + self.samples, selfs.ns + self.ns};
    Cost& sum = children[folded->tree().parent(r)];
    if (r) sum = {sum.samples + total.samples, sum.ns + total.ns};
  }
  EXPECT_EQ(selfs, root);
  for (int r = 0; r < row_count(*folded); ++r) {
    auto [self, total] = costs_of(*folded, r, true);
    Cost& sum = children[static_cast<size_t>(r)];
    EXPECT_EQ(total, (Cost{sum.samples + self.samples, sum.ns + self.ns})) << "node " << r;
  }
}

TEST(Reference, Functions) { each_session(check_functions); }
TEST(Reference, Lines) { each_session(check_lines); }
TEST(Reference, CallersAndCallees) { each_session(check_edges); }
TEST(Reference, Threads) { each_session(check_threads); }
TEST(Reference, Tree) { each_session(check_tree); }
TEST(Reference, FoldedTree) { each_session(check_folded); }

}  // namespace
}  // namespace pycroscope

// The views of a trace, computed in the simplest way: each event looked at once, figures in maps by text. What the
// passes say must be the same.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "analysis/model/events.h"
#include "analysis/passes/rows.h"
#include "analysis/passes/stack_weights.h"

namespace pycroscope::test {

// A row as text: "function=f file=/a.py line=3 ...", without what is not known.
using Rows = std::multiset<std::string>;
using Figures = std::map<std::string, int64_t>;

struct NaiveRequest {
  int64_t from_ns = 0, to_ns = INT64_MAX;
  std::string thread;    // its name, empty: all
  std::string function;  // its name, empty: all
  std::string request;   // the label's value, empty: all
};

class NaiveTrace {
 public:
  NaiveTrace(const Symbols& symbols, NaiveRequest request) : symbols_(symbols), request_(std::move(request)) {}

  void add(const TraceColumns& slice) {
    size_t i = 0;
    const uint64_t* a = slice.arguments.data();
    for (const TraceRun& run : slice.runs)
      for (uint32_t n = 0; n < run.count; ++n, ++i) {
        Seen seen{run.thread, sequence_++, {slice.time_ns[i], slice.type[i], slice.id[i], {}}};
        const uint8_t count = trace_shape(seen.event.type).argument_count;
        std::copy_n(a, count, seen.event.arguments.begin());
        a += count;
        events_.push_back(seen);
      }
  }

  // Looks at all events; `end_ns`: of the session.
  void run(int64_t end_ns) {
    std::ranges::sort(events_, {},
                      [](const Seen& s) { return std::tuple(s.event.time_ns, index(s.thread), s.sequence); });
    request_.to_ns = std::min(request_.to_ns, end_ns);
    for (const Seen& s : events_)
      if (s.event.time_ns < request_.to_ns) look(s);
    for (auto& [thread, t] : threads_)
      if (t.is_there) pass(thread, t, request_.to_ns);
    find_sites_at_peak();
  }

  // Function, file and first line by name; the others as the views have them.
  std::map<std::string, Figures> functions, lines, instructions, edges, tree, threads, allocations, exceptions, objects;
  std::map<std::string, std::map<uint16_t, uint64_t>> lifetimes;
  Rows gc, imports;
  std::map<std::pair<int64_t, uint32_t>, int64_t> live;  // by time and process, in range, after each change
  std::map<uint32_t, int64_t> live_at_start;

 private:
  struct Seen {
    ThreadId thread;
    uint64_t sequence;
    TraceEvent event;
  };
  struct ThreadNow {
    std::vector<Location> stack;
    LabelSetId labels{};
    int64_t since_ns = 0;
    bool is_there = false;
  };

  bool in_range(int64_t ns) const { return ns >= request_.from_ns && ns < request_.to_ns; }

  bool wanted(ThreadId thread, LabelSetId labels) const {
    if (!request_.thread.empty() && symbols_.string(symbols_.thread(thread).name) != request_.thread) return false;
    return request_.request.empty() || label_value(symbols_, labels, "request") == request_.request;
  }
  bool wanted(FunctionId f) const {
    return request_.function.empty() || symbols_.string(symbols_.function(f).name) == request_.function;
  }

  std::string name(FunctionId f) const { return std::string(symbols_.string(symbols_.function(f).name)); }
  std::string place(const Location& l) const { return name(l.function) + ":" + std::to_string(l.line); }
  // Of an innermost frame; nothing where it is not wanted.
  std::optional<std::string> place_of(const std::vector<Location>& stack) const {
    if (stack.empty()) return request_.function.empty() ? std::optional<std::string>("-") : std::nullopt;
    return wanted(stack.back().function) ? std::optional(place(stack.back())) : std::nullopt;
  }
  std::vector<Location> frames(StackId id) const {
    std::vector<Location> result;
    for (; id != StackId{}; id = symbols_.stack(id).parent)
      result.insert(result.begin(), symbols_.location(symbols_.stack(id).location));
    return result;
  }

  void pass(ThreadId thread, ThreadNow& t, int64_t to_ns) {
    const int64_t begin = std::max(t.since_ns, request_.from_ns), end = std::min(to_ns, request_.to_ns);
    t.since_ns = std::max(t.since_ns, to_ns);
    if (end <= begin || !wanted(thread, t.labels)) return;
    count(thread, t, "ns", end - begin);
  }

  // Adds to everything that the stack is part of; calls, hits and the like are its leaf's alone.
  void count(ThreadId thread, const ThreadNow& t, const std::string& what, int64_t n) {
    const bool is_time = what == "ns";
    const bool selected = request_.function.empty() ||
                          std::ranges::any_of(t.stack, [&](const Location& l) { return wanted(l.function); });
    if (is_time && selected) threads[std::string(symbols_.string(symbols_.thread(thread).name))][what] += n;
    if (selected) count_tree(t, what, n);
    if (t.stack.empty()) return;
    const Location& leaf = t.stack.back();
    if (wanted(leaf.function)) {
      functions[name(leaf.function)][is_time ? "self_ns" : what] += n;
      lines[place(leaf)][is_time ? "self_ns" : what] += n;
      if (leaf.offset >= 0)
        instructions[place(leaf) + "+" + std::to_string(leaf.offset)][is_time ? "self_ns" : what] += n;
    }
    if (is_time) {
      std::set<std::string> on_stack, lines_on_stack;
      for (const Location& l : t.stack) {
        if (!wanted(l.function)) continue;
        on_stack.insert(name(l.function));
        lines_on_stack.insert(place(l));
      }
      for (const std::string& f : on_stack) functions[f]["total_ns"] += n;
      for (const std::string& l : lines_on_stack) lines[l]["total_ns"] += n;
    }
    count_edges(t, what, n);
  }

  void count_edges(const ThreadNow& t, const std::string& what, int64_t n) {
    std::set<std::string> on_stack;
    for (size_t i = 1; i < t.stack.size(); ++i)
      if (wanted(t.stack[i - 1].function))
        on_stack.insert(name(t.stack[i - 1].function) + ">" + name(t.stack[i].function));
    if (what == "ns")
      for (const std::string& e : on_stack) edges[e]["total_ns"] += n;
    const size_t depth = t.stack.size();
    if (what == "calls" && depth > 1 && wanted(t.stack[depth - 2].function))
      edges[name(t.stack[depth - 2].function) + ">" + name(t.stack[depth - 1].function)][what] += n;
  }

  void count_tree(const ThreadNow& t, const std::string& what, int64_t n) {
    std::string path;
    if (what == "ns") tree[path]["total_ns"] += n;
    for (const Location& l : t.stack) {
      path += "/" + place(l);
      if (what == "ns") tree[path]["total_ns"] += n;
    }
    if (t.stack.empty()) {
      path = "/[no Python]";
      if (what == "ns") tree[path]["total_ns"] += n;
    }
    tree[path][what == "ns" ? "self_ns" : what] += n;
  }

  void look(const Seen& s) {
    const TraceEvent& e = s.event;
    ThreadNow& t = threads_[s.thread];
    if (!t.is_there) t = {{}, t.labels, e.time_ns, true};
    const bool counts = in_range(e.time_ns);
    if (moves(e.type)) return move(s, t, counts);
    if (e.type == TraceType::kLabels || e.type == TraceType::kThreadEnd) pass(s.thread, t, e.time_ns);
    if (e.type == TraceType::kLabels) t.labels = LabelSetId{e.id};
    if (e.type == TraceType::kThreadEnd) t.is_there = false;
    look_at_memory(s, t, counts);
    if (!counts || !wanted(s.thread, t.labels)) return;
    const auto where = place_of(t.stack);
    const auto& a = e.arguments;
    if (e.type == TraceType::kGc && where)
      gc.insert(std::to_string(std::max<int64_t>(e.time_ns - static_cast<int64_t>(a[0]), 0)) + " " +
                std::to_string(e.id) + " " + std::to_string(a[0]) + " " + std::to_string(a[1]) + " " +
                std::to_string(a[2]) + " " + *where);
    if (e.type == TraceType::kImport)
      imports.insert(std::string(symbols_.string(StringId{e.id})) + " " + std::to_string(a[1]) + " " +
                     std::to_string(a[0]));
    if (e.type == TraceType::kException) {
      const auto raised = place_of(frames(StackId{static_cast<uint32_t>(a[0])}));
      if (!raised) return;
      const std::string caught = a[1] ? place(symbols_.location(LocationId{static_cast<uint32_t>(a[1]) - 1})) : "-";
      Figures& f = exceptions[std::string(symbols_.string(StringId{e.id})) + " " + *raised + " " + caught];
      ++f["raised"];
      f["unwound"] += static_cast<int64_t>(a[2]);
      f["cost_ns"] += static_cast<int64_t>(a[3]);
    }
  }

  void move(const Seen& s, ThreadNow& t, bool counts) {
    pass(s.thread, t, s.event.time_ns);
    const TraceType type = s.event.type;
    if (is_exit(type)) {
      if (!t.stack.empty()) t.stack.pop_back();
      return;
    }
    if (is_entry(type)) {
      const FunctionId f{s.event.id};
      t.stack.push_back({f, symbols_.function(f).first_line, -1});
    } else {
      if (!t.stack.empty()) t.stack.pop_back();
      t.stack.push_back(symbols_.location(LocationId{s.event.id}));
    }
    if (!counts || !wanted(s.thread, t.labels)) return;
    count(s.thread, t, is_entry(type) ? "calls" : type == TraceType::kLine ? "hits" : "instructions", 1);
  }

  void look_at_memory(const Seen& s, const ThreadNow& t, bool counts) {
    const TraceEvent& e = s.event;
    const bool begins = e.type == TraceType::kAllocation || e.type == TraceType::kObject;
    if (!begins && e.type != TraceType::kFree && e.type != TraceType::kObjectEnd) return;
    const auto& a = e.arguments;
    const auto argument = [&](size_t i) { return static_cast<uint32_t>(a[i]); };
    const ThreadId by = begins ? s.thread : ThreadId{argument(3)};
    const LabelSetId labels = begins ? t.labels : LabelSetId{argument(4)};
    const std::vector<Location> stack = begins ? t.stack : frames(StackId{argument(2)});
    const auto where = place_of(stack);
    const auto bytes = static_cast<int64_t>(a[1]);
    const std::string type(symbols_.string(StringId{e.id}));
    if (e.type == TraceType::kAllocation || e.type == TraceType::kFree)
      count_bytes(e, index(symbols_.thread(by).process), begins ? bytes : -bytes, counts,
                  where && wanted(by, labels) ? type + " " + *where : "");
    if (!where || !wanted(by, labels)) return;
    if (e.type == TraceType::kAllocation || e.type == TraceType::kFree) {
      Figures& f = allocations[type + " " + *where];
      f["live_count"] += begins ? 1 : -1;
      f["live_bytes"] += begins ? bytes : -bytes;
      if (!counts) return;
      f["seen"] = 1;
      f[begins ? "allocations" : "frees"] += 1;
      if (begins) f["bytes"] += bytes;
      if (!begins) f["temporary_count"] += a[5] != 0;
      if (begins && !stack.empty()) {
        functions[name(stack.back().function)]["alloc_bytes"] += bytes;
        lines[place(stack.back())]["alloc_bytes"] += bytes;
      }
      return;
    }
    Figures& f = objects[type + " " + *where];
    f["alive"] += begins ? 1 : -1;
    if (!counts) return;
    f["seen"] = 1;
    if (begins) {
      f["count"] += 1;
      f["bytes"] += bytes;
      return;
    }
    f["refcount"] = std::max(f["refcount"], static_cast<int64_t>(a[6]));
    ++lifetimes[type + " " + *where][lifetime_place(a[5])];
  }

  // The process's bytes, its peak in range, and what each site had then.
  void count_bytes(const TraceEvent& e, uint32_t process, int64_t bytes, bool counts, const std::string& site) {
    const bool before = e.time_ns < request_.from_ns;
    if (before) live_at_start[process] += bytes;
    now_[process] += bytes;
    changes_.push_back({process, site, bytes});
    if (!before && !counts) return;
    if (!before) live[{e.time_ns, process}] = now_[process];
    if (before || now_[process] > peak_[process].bytes) peak_[process] = {now_[process], changes_.size()};
  }

  void find_sites_at_peak() {
    for (const auto& [process, peak] : peak_)
      for (size_t i = 0; i < peak.changes; ++i)
        if (changes_[i].process == process && !changes_[i].site.empty())
          at_peak[process][changes_[i].site] += changes_[i].bytes;
  }

 public:
  std::map<uint32_t, std::map<std::string, int64_t>> at_peak;  // by process and site

 private:
  const Symbols& symbols_;
  NaiveRequest request_;
  std::vector<Seen> events_;
  uint64_t sequence_ = 0;
  std::map<ThreadId, ThreadNow> threads_;
  struct Change {
    uint32_t process;
    std::string site;  // empty: of no interest
    int64_t bytes;
  };
  struct Peak {
    int64_t bytes = 0;
    size_t changes = 0;  // up to then
  };
  std::vector<Change> changes_;
  std::map<uint32_t, int64_t> now_;
  std::map<uint32_t, Peak> peak_;
};

}  // namespace pycroscope::test

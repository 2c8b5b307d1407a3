#include "analysis/model/trace_tally.h"

#include <algorithm>

namespace pycroscope {
namespace {

TraceEvent event_of(TraceType type, uint32_t id, int64_t time_ns, const uint64_t* arguments) {
  TraceEvent event{.time_ns = time_ns, .type = type, .id = id};
  std::copy_n(arguments, trace_shape(type).argument_count, event.arguments.begin());
  return event;
}

}  // namespace

void TraceTallier::start(std::span<const ThreadState> states, int64_t time_ns) {
  threads_.clear();
  there_.clear();
  for (const ThreadState& state : states) follow({state.thread, state.stack, state.labels, 0}, time_ns);
}

// A thread that shows up is there from its first event on.
TraceTallier::Follow& TraceTallier::follow(const TraceRun& run, int64_t time_ns) {
  if (index(run.thread) >= threads_.size()) threads_.resize(index(run.thread) + 1);
  Follow& f = threads_[index(run.thread)];
  if (!f.is_there) {
    f = {run.stack, run.labels, time_ns, static_cast<uint32_t>(there_.size()), true};
    there_.push_back(run.thread);
  }
  return f;
}

void TraceTallier::leave(ThreadId thread) {
  Follow& f = threads_[index(thread)];
  threads_[index(there_.back())].place = f.place;
  there_[f.place] = there_.back();
  there_.pop_back();
  f.is_there = false;
}

// Follows one run of a slice.
class TraceTallier::Run {
 public:
  Run(TraceTallier& tallier, const TraceRun& run, int64_t first_ns, Tally& tally, int64_t from_ns)
      : tallier_(tallier),
        symbols_(tallier.symbols_),
        tally_(tally),
        thread_(run.thread),
        process_(symbols_.thread(run.thread).process),
        from_ns_(from_ns) {
    enter(run, first_ns);
    // Should something be missing before this run, then it says itself where it begins.
    if (here_.stack != run.stack || here_.labels != run.labels) {
      charge(first_ns);
      stand(run.stack, run.labels);
    }
  }
  ~Run() {
    if (here_.is_there) tallier_.threads_[index(thread_)] = here_;
  }

  // False: it makes no sense.
  bool add(TraceType type, uint32_t id, int64_t time_ns, const uint64_t* arguments) {
    if (!here_.is_there) enter({thread_, {}, here_.labels, 0}, time_ns);  // it had ended
    const bool counts = time_ns >= from_ns_;
    if (counts) tally_.count(type);
    if (moves(type)) return move(type, id, time_ns, counts);
    if (type == TraceType::kLabels) {
      charge(time_ns);
      stand(here_.stack, LabelSetId{id});
    } else if (type == TraceType::kThreadEnd) {
      charge(time_ns);
      tallier_.threads_[index(thread_)] = here_;
      tallier_.leave(thread_);
      here_.is_there = false;
    } else if (counts) {
      note(type, id, time_ns, arguments);
    }
    return true;
  }

 private:
  void enter(const TraceRun& run, int64_t time_ns) {
    here_ = tallier_.follow(run, time_ns);
    stand(here_.stack, here_.labels);
  }

  void stand(StackId stack, LabelSetId labels) {
    here_.stack = stack;
    here_.labels = labels;
    context_ = tally_.context(thread_, labels, process_);
    row_ = tally_.stack_row(context_, stack);
  }

  void charge(int64_t time_ns) {
    const int64_t begin = std::max(here_.since_ns, from_ns_);
    if (time_ns > begin) tally_.stack_at(row_).ns += time_ns - begin;
    here_.since_ns = std::max(here_.since_ns, time_ns);
  }

  bool move(TraceType type, uint32_t id, int64_t time_ns, bool counts) {
    charge(time_ns);
    bool makes_sense = true;
    here_.stack = tallier_.steps_(symbols_, here_.stack, type, id, [&](const StackStep& step) {
      const std::optional<StackId> stack = tallier_.find_(step);
      makes_sense = stack.has_value();
      return stack.value_or(StackId{});
    });
    row_ = tally_.stack_row(context_, here_.stack);
    if (!counts || is_exit(type)) return makes_sense;
    StackFigures& figures = tally_.stack_at(row_);
    if (is_entry(type))
      ++figures.calls;
    else if (type == TraceType::kLine)
      ++figures.hits;
    else
      ++figures.instructions;
    return makes_sense;
  }

  void note(TraceType type, uint32_t id, int64_t time_ns, const uint64_t* a) {
    const auto number = [a](size_t i) { return static_cast<uint32_t>(a[i]); };
    const StringId name{id};
    switch (type) {
      case TraceType::kAllocation:
        tallier_.memory_.push_back({time_ns, thread_, here_.stack, here_.labels, name, a[1], false, false, thread_});
        break;
      case TraceType::kFree:
        if (a[5] == kUnknownBlock) break;
        tallier_.memory_.push_back({time_ns, ThreadId{number(3)}, StackId{number(2)}, LabelSetId{number(4)}, name, a[1],
                                    true, a[5] != 0, thread_});
        break;
      case TraceType::kObject: {
        ObjectFigures& figures = tally_.object(context_, here_.stack, name);
        ++figures.count;
        figures.bytes += a[1];
        break;
      }
      case TraceType::kObjectEnd: {
        if (a[5] == kUnknownLifetime) break;
        const ThreadId born{number(3)};
        const uint32_t context = tally_.context(born, LabelSetId{number(4)}, symbols_.thread(born).process);
        ObjectFigures& figures = tally_.object(context, StackId{number(2)}, name);
        ++figures.ended;
        figures.ended_bytes += a[1];
        figures.refcount_max = std::max(figures.refcount_max, a[6]);
        ++figures.lifetimes[lifetime_place(a[5])];
        break;
      }
      case TraceType::kException: {
        ExceptionFigures& figures = tally_.exception(context_, name, StackId{number(0)}, number(1));
        ++figures.raised;
        figures.unwound += a[2];
        figures.cost_ns += static_cast<int64_t>(a[3]);
        break;
      }
      case TraceType::kGc:
      case TraceType::kImport:
      case TraceType::kSpan:
      case TraceType::kCounter:
      case TraceType::kHeap:
        tally_.keep({thread_, here_.labels, here_.stack, event_of(type, id, time_ns, a)});
        break;
      default:
        break;
    }
  }

  TraceTallier& tallier_;
  const Symbols& symbols_;
  Tally& tally_;
  ThreadId thread_;
  ProcessId process_;
  int64_t from_ns_;
  Follow here_;
  uint32_t context_ = 0, row_ = 0;
};

bool TraceTallier::add(const TraceColumns& slice, Tally& tally, int64_t from_ns, int64_t to_ns) {
  memory_.clear();
  size_t i = 0;
  const uint64_t* arguments = slice.arguments.data();
  for (const TraceRun& run : slice.runs) {
    if (run.count == 0) continue;
    const size_t end = i + run.count;
    if (slice.time_ns[i] < to_ns) {
      Run follower(*this, run, slice.time_ns[i], tally, from_ns);
      for (; i < end && slice.time_ns[i] < to_ns; ++i) {
        if (!follower.add(slice.type[i], slice.id[i], slice.time_ns[i], arguments)) return false;
        arguments += trace_shape(slice.type[i]).argument_count;
      }
    }
    for (; i < end; ++i) arguments += trace_shape(slice.type[i]).argument_count;
  }
  add_memory(tally);
  return true;
}

// Threads take turns in a slice; what is live goes up and down in the order of time.
void TraceTallier::add_memory(Tally& tally) {
  const auto order = [](const MemoryEvent& e) { return std::pair(e.time_ns, index(e.by)); };
  if (!std::ranges::is_sorted(memory_, {}, order)) std::ranges::stable_sort(memory_, {}, order);
  for (const MemoryEvent& e : memory_) {
    const uint32_t context = tally.context(e.thread, e.labels, symbols_.thread(e.thread).process);
    if (e.is_free)
      tally.free(context, e.stack, e.type, e.bytes, e.temporary, e.time_ns);
    else
      tally.allocate(context, e.stack, e.type, e.bytes, e.time_ns);
  }
}

void TraceTallier::pass_time(int64_t time_ns, Tally& tally, int64_t from_ns) {
  for (const ThreadId thread : there_) {
    Follow& f = threads_[index(thread)];
    const int64_t begin = std::max(f.since_ns, from_ns);
    f.since_ns = std::max(f.since_ns, time_ns);
    if (time_ns <= begin) continue;
    const uint32_t context = tally.context(thread, f.labels, symbols_.thread(thread).process);
    tally.stack_at(tally.stack_row(context, f.stack)).ns += time_ns - begin;
  }
}

std::vector<ThreadState> TraceTallier::states() const {
  std::vector<ThreadState> states;
  for (const ThreadId thread : there_) states.push_back(*state(thread));
  return states;
}

std::optional<ThreadState> TraceTallier::state(ThreadId thread) const {
  if (index(thread) >= threads_.size() || !threads_[index(thread)].is_there) return std::nullopt;
  const Follow& f = threads_[index(thread)];
  return ThreadState{thread, f.stack, f.labels};
}

}  // namespace pycroscope

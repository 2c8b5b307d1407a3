#include "daemon/collect/trace_drain.h"

#include <algorithm>
#include <deque>
#include <list>
#include <optional>
#include <utility>

#include "daemon/collect/allocation_map.h"
#include "daemon/collect/thread_exceptions.h"

namespace pycroscope {
namespace {

// The session's ids of what a process has defined, by the process's own.
template <class Id>
class Definitions {
 public:
  // False when there are too many.
  bool set(uint32_t id, Id value) {
    if (id >= TraceDrain::kMaxDefinitions) return false;
    if (id >= ids_.size()) ids_.resize(std::max<size_t>(id + 1, ids_.size() * 2));
    ids_[id] = value;
    return true;
  }
  std::optional<Id> find(uint64_t id) const { return id < ids_.size() ? ids_[id] : std::nullopt; }

 private:
  std::vector<std::optional<Id>> ids_;
};

bool is_of_function(uint32_t type) { return type <= PYC_RING_C_RETURN; }
bool is_of_location(uint32_t type) { return type == PYC_RING_LINE || type == PYC_RING_INSTRUCTION; }

}  // namespace

class TraceDrain::Impl {
 public:
  Impl(EventSink& sink, RingTime time, bool with_calls) : sink_(sink), time_(time), with_calls_(with_calls) {}

  uint32_t add_process(RingReader definitions, std::optional<uint32_t> parent) {
    processes_.emplace_back(std::move(definitions));
    if (parent) {
      read_definitions(processes_[*parent]);
      processes_.back().inherit(processes_[*parent]);
    }
    return static_cast<uint32_t>(processes_.size() - 1);
  }
  void add(ThreadId thread, RingReader ring, uint32_t process) {
    threads_.push_back({.id = thread, .process = &processes_[process], .ring = std::move(ring)});
  }

  bool has_finished(uint32_t process) const {
    return std::ranges::none_of(threads_, [&](const Thread& t) { return t.process == &processes_[process]; });
  }
  void remove_process(uint32_t number) {
    Process& process = processes_[number];
    process.ring.reset();
    process.inherit(Process(std::nullopt));
  }
  void set_time(RingTime time) { time_ = time; }

  void writer_is_gone(ThreadId thread) {
    for (Thread& t : threads_) t.is_gone |= t.id == thread;
  }

  uint64_t drain(uint64_t until) {
    for (Thread& t : threads_) t.ring.look();
    // After the look: what an event seen then refers to was defined before it.
    for (Process& process : processes_) read_definitions(process);
    if (std::ranges::any_of(threads_, &Thread::is_gone)) until = UINT64_MAX;
    uint64_t handed_on = 0;
    while (const uint64_t events = slice(until)) {
      handed_on += events;
      for (Thread& t : threads_) t.ring.release();
    }
    for (Thread& t : threads_) {
      if (const uint64_t lost = t.ring.take_lost()) sink_.add_loss(v1::LOSS_REASON_RING_FULL, lost);
    }
    if (unknown_ > 0) sink_.add_loss(v1::LOSS_REASON_UNKNOWN_CODE, std::exchange(unknown_, 0));
    end_threads();
    std::erase_if(threads_, has_ended);
    return handed_on;
  }

  bool finished() const { return threads_.empty(); }
  void close() {
    for (Thread& t : threads_) t.ring.close();
    for (Process& process : processes_)
      if (process.ring) process.ring->close();
  }

 private:
  // What its threads refer to.
  struct Process {
    explicit Process(std::optional<RingReader> definitions)
        : ring(std::move(definitions)), live(kMaxLiveBlocks), objects(kMaxLiveBlocks) {
      texts.set(0, StringId{});
      labels.set(0, LabelSetId{});
    }
    std::optional<RingReader> ring;  // of definitions; nothing: it was removed
    Definitions<StringId> texts;
    Definitions<FunctionId> functions;
    Definitions<LocationId> locations;
    Definitions<LabelSetId> labels;
    AllocationMap live, objects;

    void inherit(const Process& parent) {
      texts = parent.texts;
      functions = parent.functions;
      locations = parent.locations;
      labels = parent.labels;
    }
    StringId text(uint64_t id) const { return texts.find(id).value_or(StringId{}); }
  };
  struct Thread {
    ThreadId id{};
    Process* process = nullptr;
    RingReader ring;
    bool is_gone = false;
    bool is_there = false;  // it has done something, and has not ended
    StackId stack = {};
    LabelSetId labels = {};
    uint32_t depth = 0;
    ThreadExceptions exceptions = {};
    uint64_t last_allocation = 0;  // its address, while nothing was allocated since
  };

  static bool has_ended(const Thread& t) { return t.is_gone || t.ring.broken() || t.ring.finished(); }

  // Whoever ends without saying so has nothing on its stack any more either.
  void end_threads() {
    slice_.clear();
    for (Thread& t : threads_) {
      if (!has_ended(t) || !t.is_there) continue;
      slice_.runs.push_back({t.id, t.stack, t.labels, 0});
      t.exceptions.finish(exceptions_at(end_ns_));
      slice_.push_back({.time_ns = end_ns_, .type = TraceType::kThreadEnd});
    }
    if (slice_.size() > 0) sink_.add_trace(slice_, end_ns_);
  }

  void read_definitions(Process& process) {
    if (!process.ring) return;
    RingReader& ring = *process.ring;
    ring.look();
    while (const RingRecord* record = ring.peek()) {
      define(process, *record);
      ring.pass();
    }
    ring.release();
    if (const uint64_t lost = ring.take_lost()) sink_.add_loss(v1::LOSS_REASON_UNKNOWN_CODE, lost);
  }

  void define(Process& process, const RingRecord& r) {
    Symbols& symbols = sink_.symbols();
    switch (r.type) {
      case PYC_RING_TEXT:
        process.texts.set(r.id, symbols.intern_string(process.ring->text()));
        break;
      case PYC_RING_FUNCTION: {
        const Function function{.name = process.text(r.extra),
                                .file = symbols.intern_file(process.text(r.arguments[0])),
                                .first_line = static_cast<uint32_t>(r.arguments[1]),
                                .kind = r.arguments[2] ? v1::FRAME_KIND_NATIVE : v1::FRAME_KIND_PYTHON};
        process.functions.set(r.id, symbols.intern_function(function));
        break;
      }
      case PYC_RING_LOCATION:
        if (const auto function = process.functions.find(r.extra)) {
          const LocationId location = symbols.intern_location(
              {*function, static_cast<uint32_t>(r.arguments[0]), static_cast<int32_t>(r.arguments[1])});
          process.locations.set(r.id, location);
          const auto opcode = static_cast<int32_t>(r.arguments[1]) >= 0 ? r.arguments[1] >> 32 : 0;
          if (opcode != 0) symbols.set_opcode(location, process.text(opcode));
        }
        break;
      case PYC_RING_LABEL: {
        const Label label{process.text(r.arguments[0]), process.text(r.arguments[1])};
        process.labels.set(r.id, symbols.intern_labels({&label, 1}));
        break;
      }
      default:
        ++unknown_;
    }
  }

  // The events of all threads until `until`, or as many as a slice holds: each thread goes as far as the first of them
  // that has used up its share.
  uint64_t slice(uint64_t until) {
    if (threads_.empty()) return 0;
    const auto share = static_cast<uint32_t>(std::max<size_t>(kMaxTraceBlockEvents / threads_.size(), 1));
    uint64_t end = until;
    for (const Thread& t : threads_)
      if (const auto full = t.ring.time_of(share)) end = std::min(end, *full + 1);
    slice_.clear();
    memory_.clear();
    for (Thread& t : threads_) {
      slice_.runs.push_back({t.id, t.stack, t.labels, 0});
      // Those of one moment may be more than the share.
      while (slice_.runs.back().count < share) {
        const RingRecord* record = t.ring.peek();
        if (!record || record->time >= end) break;
        take(t, *record);
        t.ring.pass();
      }
      if (slice_.runs.back().count == 0) slice_.runs.pop_back();
    }
    join_memory();
    if (end != UINT64_MAX)
      end_ns_ = std::max(end_ns_, time_.session_ns(end));
    else if (slice_.size() > 0)
      end_ns_ = std::max(end_ns_, std::ranges::max(slice_.time_ns) + 1);
    if (slice_.size() > 0) sink_.add_trace(slice_, end_ns_);
    return slice_.size();
  }

  void take(Thread& t, const RingRecord& r) {
    // Nothing is older than what was handed on before, nor, of one thread, than what came before it.
    const int64_t last = slice_.runs.back().count ? slice_.time_ns.back() : end_ns_;
    const int64_t now = std::max(time_.session_ns(r.time), last);
    if (r.type == PYC_RING_STANDS) return stand(t, r);
    t.is_there = r.type != PYC_RING_THREAD_END;
    if (is_of_function(r.type)) return move(t, r, now, t.process->functions.find(r.id));
    if (is_of_location(r.type)) return move(t, r, now, t.process->locations.find(r.id));
    note(t, r, now);
  }

  // Types of the ring up to PYC_RING_INSTRUCTION are those of traces.
  template <class Id>
  void move(Thread& t, const RingRecord& r, int64_t now, std::optional<Id> id) {
    if (!id) {
      ++unknown_;
      return;
    }
    const auto type = static_cast<TraceType>(r.type);
    Symbols& symbols = sink_.symbols();
    if (!with_calls_ && t.depth == 0 && !is_exit(type)) restack(t, {});
    if (is_exit(type)) t.exceptions.leave(t.depth, exceptions_at(now));
    slice_.push_back({.time_ns = now, .type = type, .id = index(*id)});
    if (is_entry(type)) ++t.depth;
    if (is_exit(type) && t.depth > 0) --t.depth;
    if (type == TraceType::kUnwind) t.exceptions.unwind(now);
    t.stack = steps_(symbols, t.stack, type, index(*id), [&](const StackStep& step) {
      return symbols.intern_stack(step.parent, symbols.intern_location(step.location));
    });
  }

  // From here on the thread has another stack than its events have made.
  void restack(Thread& t, StackId stack) {
    if (t.stack == stack) return;
    t.stack = stack;
    if (slice_.runs.back().count > 0) slice_.runs.push_back({t.id, t.stack, t.labels, 0});
    slice_.runs.back().stack = stack;
  }

  // It is on the stack without having been called in the ring.
  void stand(Thread& t, const RingRecord& r) {
    const auto place = t.process->locations.find(r.id);
    const bool is_leaf = r.extra == PYC_RING_STANDS_LEAF, is_first = r.extra == PYC_RING_STANDS_FIRST;
    if (!place || (with_calls_ && !is_leaf && (is_first || t.is_there))) {
      ++unknown_;
      return;
    }
    Symbols& symbols = sink_.symbols();
    const StackId under = is_first ? StackId{} : is_leaf ? symbols.stack(t.stack).parent : t.stack;
    restack(t, symbols.intern_stack(under, *place));
    if (with_calls_ && !is_leaf) ++t.depth;
  }

  void note(Thread& t, const RingRecord& r, int64_t now) {
    const auto text = [&](uint64_t id) { return t.process->text(id); };
    const uint32_t name = index(text(r.id));
    const auto& a = r.arguments;
    const auto emit = [&](TraceType type, uint32_t id, std::array<uint64_t, kMaxTraceArguments> arguments = {}) {
      slice_.push_back({.time_ns = now, .type = type, .id = id, .arguments = arguments});
    };
    switch (r.type) {
      case PYC_RING_ALLOCATION:
        remember(t, TraceType::kAllocation, name, a[1], now, a[0]);
        return emit(TraceType::kAllocation, name, {a[0], a[1]});
      case PYC_RING_FREE:
        remember(t, TraceType::kFree, name, 0, now, a[0]);
        return emit(TraceType::kFree, 0, {a[0], 0, 0, index(t.id), 0, kUnknownBlock});
      case PYC_RING_OBJECT:
        remember(t, TraceType::kObject, name, a[1], now, a[0]);
        return emit(TraceType::kObject, name, {a[0], a[1]});
      case PYC_RING_OBJECT_END:
        remember(t, TraceType::kObjectEnd, name, 0, now, a[0]);
        return emit(TraceType::kObjectEnd, 0, {a[0], 0, 0, index(t.id), 0, kUnknownLifetime, a[1]});
      case PYC_RING_GC:
        return emit(TraceType::kGc, r.id, {duration(a[0]), a[1], a[2]});
      case PYC_RING_IMPORT: {
        const uint32_t file = a[3] ? index(sink_.symbols().intern_file(text(a[3]))) + 1 : 0;
        return emit(TraceType::kImport, name, {duration(a[0]), duration(a[1]), index(text(a[2])), file});
      }
      case PYC_RING_RAISE:
        return raise(t, r, StringId{name}, now);
      case PYC_RING_RERAISE:
        return t.exceptions.reraise(r.extra);
      case PYC_RING_CAUGHT:
        return t.exceptions.caught(r.extra, t.process->locations.find(r.id), t.depth,
                                   with_calls_ ? 0 : static_cast<uint32_t>(a[0]), now);
      case PYC_RING_SPAN:
        return emit(TraceType::kSpan, name, {duration(a[0]), index(text(a[1]))});
      case PYC_RING_COUNTER:
        return emit(TraceType::kCounter, name, {a[0]});
      case PYC_RING_HEAP:
        return emit(TraceType::kHeap, name, {a[0], a[1], a[2], index(text(a[3]))});
      case PYC_RING_LABELS:
        t.labels = t.process->labels.find(r.id).value_or(LabelSetId{});
        return emit(TraceType::kLabels, index(t.labels));
      case PYC_RING_LOCAL:
        return emit(TraceType::kLocal, name, {index(text(a[0]))});
      case PYC_RING_THREAD_START:
        return emit(TraceType::kThreadStart, 0);
      case PYC_RING_THREAD_END:
        t.exceptions.finish(exceptions_at(now));
        t.stack = {};
        t.depth = 0;
        return emit(TraceType::kThreadEnd, 0);
      default:  // a definition, which has no place here
        ++unknown_;
    }
  }

  uint64_t duration(uint64_t ticks) const { return static_cast<uint64_t>(time_.duration_ns(ticks)); }

  ThreadExceptions::Emit exceptions_at(int64_t now) {
    return [this, now](const ThreadExceptions::Exception& e) {
      slice_.push_back({.time_ns = now,
                        .type = TraceType::kException,
                        .id = index(e.type),
                        .arguments = {index(e.stack), e.place ? index(*e.place) + 1 : 0, e.frames_unwound,
                                      static_cast<uint64_t>(e.reached_ns - e.raised_ns)}});
    };
  }

  void raise(Thread& t, const RingRecord& r, StringId type, int64_t now) {
    const auto place = t.process->locations.find(r.arguments[0]);
    StackId stack = t.stack;
    if (place) stack = sink_.symbols().intern_stack(sink_.symbols().stack(t.stack).parent, *place);
    t.exceptions.raise({.key = r.extra, .type = type, .stack = stack, .raised_ns = now, .reached_ns = now},
                       exceptions_at(now));
  }

  // An event of a slice that is to be joined with another, in the order of time.
  struct MemoryEvent {
    int64_t time_ns;
    Thread* thread;
    TraceType type;
    uint64_t address;
    LiveBlock block;
    size_t event, arguments;  // where they are in the slice
  };

  void remember(Thread& t, TraceType type, uint32_t name, uint64_t bytes, int64_t now, uint64_t address) {
    memory_.push_back({now,
                       &t,
                       type,
                       address,
                       {bytes, t.stack, t.id, t.labels, StringId{name}, now},
                       slice_.size(),
                       slice_.arguments.size()});
  }

  // Threads free what others have allocated.
  void join_memory() {
    const auto order = [](const MemoryEvent& e) { return std::pair(e.time_ns, index(e.thread->id)); };
    if (!std::ranges::is_sorted(memory_, {}, order)) std::ranges::stable_sort(memory_, {}, order);
    for (const MemoryEvent& e : memory_) {
      const bool is_object = e.type == TraceType::kObject || e.type == TraceType::kObjectEnd;
      AllocationMap& live = is_object ? e.thread->process->objects : e.thread->process->live;
      if (e.type == TraceType::kAllocation || e.type == TraceType::kObject) {
        if (!live.add(e.address, e.block)) sink_.add_loss(v1::LOSS_REASON_SELF_LIMIT, 1);
        if (!is_object) e.thread->last_allocation = e.address;
        continue;
      }
      const std::optional<LiveBlock> block = live.take(e.address);
      if (!block) continue;
      slice_.id[e.event] = index(block->type);
      uint64_t* a = &slice_.arguments[e.arguments];
      a[1] = block->bytes;
      a[2] = index(block->stack);
      a[3] = index(block->thread);
      a[4] = index(block->labels);
      a[5] = is_object ? static_cast<uint64_t>(e.time_ns - block->born_ns)
                       : uint64_t{e.thread->last_allocation == e.address};
    }
  }

  EventSink& sink_;
  RingTime time_;
  const bool with_calls_;
  std::deque<Process> processes_;
  std::list<Thread> threads_;
  StackSteps steps_;
  TraceColumns slice_;
  std::vector<MemoryEvent> memory_;  // of the slice
  int64_t end_ns_ = 0;               // of what was handed on
  uint64_t unknown_ = 0;             // events of what was never defined
};

TraceDrain::TraceDrain(EventSink& sink, RingTime time, bool with_calls)
    : impl_(std::make_unique<Impl>(sink, time, with_calls)) {}
TraceDrain::~TraceDrain() = default;
uint32_t TraceDrain::add_process(RingReader definitions, std::optional<uint32_t> parent) {
  return impl_->add_process(std::move(definitions), parent);
}
bool TraceDrain::has_finished(uint32_t process) const { return impl_->has_finished(process); }
void TraceDrain::add(ThreadId thread, RingReader ring, uint32_t process) {
  impl_->add(thread, std::move(ring), process);
}
void TraceDrain::writer_is_gone(ThreadId thread) { impl_->writer_is_gone(thread); }
uint64_t TraceDrain::drain(uint64_t until) { return impl_->drain(until); }
void TraceDrain::remove_process(uint32_t process) { impl_->remove_process(process); }
void TraceDrain::set_time(RingTime time) { impl_->set_time(time); }
bool TraceDrain::finished() const { return impl_->finished(); }
void TraceDrain::close() { impl_->close(); }

}  // namespace pycroscope

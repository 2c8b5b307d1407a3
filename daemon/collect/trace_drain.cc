#include "daemon/collect/trace_drain.h"

#include <algorithm>
#include <list>
#include <optional>
#include <utility>

#include "daemon/collect/allocation_map.h"

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
  Impl(EventSink& sink, uint64_t start, RingReader definitions)
      : sink_(sink),
        start_(start),
        definitions_(std::move(definitions)),
        live_(kMaxLiveBlocks),
        objects_(kMaxLiveBlocks) {
    texts_.set(0, StringId{});
    labels_.set(0, LabelSetId{});
  }

  void add(ThreadId thread, RingReader ring) { threads_.push_back({.id = thread, .ring = std::move(ring)}); }

  void writer_is_gone(ThreadId thread) {
    for (Thread& t : threads_) t.is_gone |= t.id == thread;
  }

  uint64_t drain(uint64_t until) {
    for (Thread& t : threads_) t.ring.look();
    // After the look: what an event seen then refers to was defined before it.
    read_definitions();
    if (std::ranges::any_of(threads_, &Thread::is_gone)) until = UINT64_MAX;
    uint64_t handed_on = 0;
    while (const uint64_t events = slice(until)) handed_on += events;
    for (Thread& t : threads_) {
      t.ring.release();
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
    definitions_.close();
  }

 private:
  struct Raised {
    StackId stack{};
    uint32_t depth = 0;
    StringId type{};
    int64_t time_ns = 0;
  };
  struct Thread {
    ThreadId id{};
    RingReader ring;
    bool is_gone = false;
    bool is_there = false;  // it has done something, and has not ended
    StackId stack = {};
    LabelSetId labels = {};
    uint32_t depth = 0;
    std::optional<Raised> raised = {};
    uint64_t last_allocation = 0;  // its address, while nothing was allocated since
  };

  static bool has_ended(const Thread& t) { return t.is_gone || t.ring.broken() || t.ring.finished(); }

  // Whoever ends without saying so has nothing on its stack any more either.
  void end_threads() {
    slice_.clear();
    for (Thread& t : threads_) {
      if (!has_ended(t) || !t.is_there) continue;
      slice_.runs.push_back({t.id, t.stack, t.labels, 0});
      slice_.push_back({.time_ns = end_ns_, .type = TraceType::kThreadEnd});
    }
    if (slice_.size() > 0) sink_.add_trace(slice_, end_ns_);
  }

  void read_definitions() {
    definitions_.look();
    while (const RingRecord* record = definitions_.peek()) {
      define(*record);
      definitions_.pass();
    }
    definitions_.release();
    if (const uint64_t lost = definitions_.take_lost()) sink_.add_loss(v1::LOSS_REASON_UNKNOWN_CODE, lost);
  }

  void define(const RingRecord& r) {
    Symbols& symbols = sink_.symbols();
    const auto text = [&](uint64_t id) { return texts_.find(id).value_or(StringId{}); };
    switch (r.type) {
      case PYC_RING_TEXT:
        texts_.set(r.id, symbols.intern_string(definitions_.text()));
        break;
      case PYC_RING_FUNCTION: {
        const Function function{.name = text(r.extra),
                                .file = symbols.intern_file(text(r.arguments[0])),
                                .first_line = static_cast<uint32_t>(r.arguments[1]),
                                .kind = r.arguments[2] ? v1::FRAME_KIND_NATIVE : v1::FRAME_KIND_PYTHON};
        functions_.set(r.id, symbols.intern_function(function));
        break;
      }
      case PYC_RING_LOCATION:
        if (const auto function = functions_.find(r.extra))
          locations_.set(r.id, symbols.intern_location({*function, static_cast<uint32_t>(r.arguments[0]),
                                                        static_cast<int32_t>(r.arguments[1])}));
        break;
      case PYC_RING_LABEL: {
        const Label label{text(r.arguments[0]), text(r.arguments[1])};
        labels_.set(r.id, symbols.intern_labels({&label, 1}));
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
      end_ns_ = std::max(end_ns_, session_time(end));
    else if (slice_.size() > 0)
      end_ns_ = std::max(end_ns_, std::ranges::max(slice_.time_ns) + 1);
    if (slice_.size() > 0) sink_.add_trace(slice_, end_ns_);
    return slice_.size();
  }

  int64_t session_time(uint64_t time) const { return static_cast<int64_t>(time) - static_cast<int64_t>(start_); }

  void take(Thread& t, const RingRecord& r) {
    // Nothing is older than what was handed on before, nor, of one thread, than what came before it.
    const int64_t last = slice_.runs.back().count ? slice_.time_ns.back() : end_ns_;
    const int64_t now = std::max(session_time(r.time), last);
    if (r.type == PYC_RING_STANDS) return stand(t, r);
    t.is_there = r.type != PYC_RING_THREAD_END;
    if (is_of_function(r.type)) return move(t, r, now, functions_.find(r.id));
    if (is_of_location(r.type)) return move(t, r, now, locations_.find(r.id));
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
    slice_.push_back({.time_ns = now, .type = type, .id = index(*id)});
    if (is_entry(type)) ++t.depth;
    if (is_exit(type) && t.depth > 0) --t.depth;
    t.stack = steps_(symbols, t.stack, type, index(*id), [&](const StackStep& step) {
      return symbols.intern_stack(step.parent, symbols.intern_location(step.location));
    });
  }

  // It was on the stack before the thread wrote anything. Of one that has, it makes no sense.
  void stand(Thread& t, const RingRecord& r) {
    const auto function = functions_.find(r.id);
    TraceRun& run = slice_.runs.back();
    if (!function || run.count > 0 || t.is_there) {
      ++unknown_;
      return;
    }
    Symbols& symbols = sink_.symbols();
    const StackStep step = step_from(symbols, t.stack, TraceType::kCall, index(*function));
    run.stack = t.stack = symbols.intern_stack(step.parent, symbols.intern_location(step.location));
    ++t.depth;
  }

  void note(Thread& t, const RingRecord& r, int64_t now) {
    const auto text = [&](uint64_t id) { return texts_.find(id).value_or(StringId{}); };
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
        return emit(TraceType::kGc, r.id, {a[0], a[1], a[2]});
      case PYC_RING_IMPORT: {
        const uint32_t file = a[3] ? index(sink_.symbols().intern_file(text(a[3]))) + 1 : 0;
        return emit(TraceType::kImport, name, {a[0], a[1], index(text(a[2])), file});
      }
      case PYC_RING_RAISE:
        t.raised = Raised{t.stack, t.depth, StringId{name}, now};
        return;
      case PYC_RING_CAUGHT:
        return caught(t, r, now);
      case PYC_RING_SPAN:
        return emit(TraceType::kSpan, name, {a[0], index(text(a[1]))});
      case PYC_RING_COUNTER:
        return emit(TraceType::kCounter, name, {a[0]});
      case PYC_RING_HEAP:
        return emit(TraceType::kHeap, name, {a[0], a[1], a[2], index(text(a[3]))});
      case PYC_RING_LABELS:
        t.labels = labels_.find(r.id).value_or(LabelSetId{});
        return emit(TraceType::kLabels, index(t.labels));
      case PYC_RING_LOCAL:
        return emit(TraceType::kLocal, name, {index(text(a[0]))});
      case PYC_RING_THREAD_START:
        return emit(TraceType::kThreadStart, 0);
      case PYC_RING_THREAD_END:
        t.stack = {};
        t.depth = 0;
        return emit(TraceType::kThreadEnd, 0);
      default:  // a definition, which has no place here
        ++unknown_;
    }
  }

  void caught(Thread& t, const RingRecord& r, int64_t now) {
    if (!t.raised) {
      ++unknown_;
      return;
    }
    const auto place = r.id ? locations_.find(r.id - 1) : std::nullopt;
    const Raised raised = *std::exchange(t.raised, std::nullopt);
    slice_.push_back({.time_ns = now,
                      .type = TraceType::kException,
                      .id = index(raised.type),
                      .arguments = {index(raised.stack), place ? index(*place) + 1 : 0,
                                    raised.depth > t.depth ? raised.depth - t.depth : 0,
                                    static_cast<uint64_t>(now - raised.time_ns)}});
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
      AllocationMap& live = is_object ? objects_ : live_;
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
  uint64_t start_;
  RingReader definitions_;
  AllocationMap live_, objects_;
  std::list<Thread> threads_;
  Definitions<StringId> texts_;
  Definitions<FunctionId> functions_;
  Definitions<LocationId> locations_;
  Definitions<LabelSetId> labels_;
  StackSteps steps_;
  TraceColumns slice_;
  std::vector<MemoryEvent> memory_;  // of the slice
  int64_t end_ns_ = 0;               // of what was handed on
  uint64_t unknown_ = 0;             // events of what was never defined
};

TraceDrain::TraceDrain(EventSink& sink, uint64_t start, RingReader definitions)
    : impl_(std::make_unique<Impl>(sink, start, std::move(definitions))) {}
TraceDrain::~TraceDrain() = default;
void TraceDrain::add(ThreadId thread, RingReader ring) { impl_->add(thread, std::move(ring)); }
void TraceDrain::writer_is_gone(ThreadId thread) { impl_->writer_is_gone(thread); }
uint64_t TraceDrain::drain(uint64_t until) { return impl_->drain(until); }
bool TraceDrain::finished() const { return impl_->finished(); }
void TraceDrain::close() { impl_->close(); }

}  // namespace pycroscope

// Traces of made-up programs: functions with lines, loops, calls, allocations, exceptions, run by threads that a random
// number seeds. The same seed gives the same trace on each machine.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "analysis/model/events.h"
#include "analysis/model/symbols.h"

namespace pycroscope::test {

struct TraceProgramOptions {
  uint64_t seed = 1;
  uint32_t functions = 60;
  uint32_t threads = 2;
  uint32_t processes = 1;
  uint32_t max_depth = 40;
  bool lines = true;
  bool instructions = false;
  bool memory = true;            // allocations, frees, objects, collections
  bool rare = true;              // exceptions, imports, spans, counters, heap rows, labels, locals, losses
  uint32_t slice_events = 3000;  // about
};

class TraceProgram {
 public:
  TraceProgram(Symbols& symbols, const TraceProgramOptions& options) : symbols_(symbols), options_(options) {
    random_ = options.seed * 0x9E3779B97F4A7C15u + 1;
    make_functions();
    for (uint32_t i = 0; i < options.threads; ++i) add_thread(i % std::max(options.processes, 1u));
  }

  // The next slice of at least `events` events in all; `to_ns` is when it ends.
  TraceColumns slice(int64_t& to_ns) {
    TraceColumns events;
    const uint32_t each = std::max(options_.slice_events / static_cast<uint32_t>(threads_.size()), 1u);
    int64_t end = INT64_MAX;
    // Each thread goes as far as the one gets that gets least far with its share.
    for (Thread& t : threads_) {
      while (t.ahead.size() < each) step(t);
      end = std::min(end, t.ahead[each - 1].time_ns + 1);
    }
    for (Thread& t : threads_) {
      if (t.ahead.front().time_ns >= end) continue;
      events.runs.push_back({t.id, t.stack, t.labels, 0});
      while (!t.ahead.empty() && t.ahead.front().time_ns < end) {
        take(t, t.ahead.front());
        events.push_back(t.ahead.front());
        t.ahead.pop_front();
      }
    }
    to_ns = end;
    return events;
  }

 private:
  enum class Op : uint8_t { kPlain, kCall, kCCall, kAllocate, kFree, kBack, kRaise, kYield };
  struct Line {
    LocationId location;
    LocationId instructions[2];
    Op op = Op::kPlain;
    uint32_t what = 0;   // function called, size, trips of a loop
    uint32_t where = 0;  // line to go back to
    uint32_t cost = 30;
  };
  struct Body {
    FunctionId id;
    std::vector<Line> lines;
  };
  struct Activation {
    uint32_t body = 0, line = 0, trips = 0;
  };
  struct Block {
    uint64_t address = 0, bytes = 0;
    uint32_t type = 0;
    StackId stack{};
    ThreadId thread{};
    LabelSetId labels{};
    int64_t born_ns = 0;
    bool is_object = false;
  };
  struct Thread {
    ThreadId id{};
    StackId stack{};  // up to what was taken
    LabelSetId labels{};
    StackId stack_ahead{};
    LabelSetId labels_ahead{};
    std::vector<Activation> calls;
    std::deque<TraceEvent> ahead;
    std::vector<Block> live;
    int64_t now_ns = 0;
    uint32_t requests = 0;
    bool allocated_last = false;
    bool started = false, raised = false;
  };

  uint32_t random(uint32_t below) {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return static_cast<uint32_t>((random_ >> 33) % below);
  }
  StringId text(const std::string& s) { return symbols_.intern_string(s); }

  void make_functions() {
    for (uint32_t i = 0; i < 12; ++i) types_.push_back(text("type" + std::to_string(i)));
    for (uint32_t i = 0; i < options_.functions; ++i) {
      const FileId file = symbols_.intern_file(text("/app/module" + std::to_string(i % 7) + ".py"));
      const uint32_t first = 1 + i / 7 * 20;
      Body body;
      body.id = symbols_.intern_function({text("function" + std::to_string(i)), file, first});
      const uint32_t lines = 2 + random(8);
      for (uint32_t l = 0; l < lines; ++l) body.lines.push_back(make_line(body.id, i, first + 1 + l, l));
      bodies_.push_back(body);
    }
    const FileId builtins = symbols_.intern_file(text("builtins"));
    for (uint32_t i = 0; i < 8; ++i)
      c_functions_.push_back(
          symbols_.intern_function({text("c_function" + std::to_string(i)), builtins, 0, v1::FRAME_KIND_NATIVE}));
    LabelSetId none{};
    label_sets_.push_back(none);
    for (uint32_t i = 0; i < 3; ++i) {
      const Label label{text("request"), text("/" + std::to_string(i))};
      label_sets_.push_back(symbols_.intern_labels({&label, 1}));
    }
  }

  Line make_line(FunctionId function, uint32_t number, uint32_t line, uint32_t place) {
    Line result;
    result.location = symbols_.intern_location({function, line, -1});
    for (int i = 0; i < 2; ++i)
      result.instructions[i] = symbols_.intern_location({function, line, static_cast<int32_t>(place * 8) + i * 2});
    result.cost = 15 + random(120);
    switch (random(options_.memory ? 9 : 6)) {
      case 0:
      case 1:
        result.op = Op::kCall;
        // Mostly forward, so that programs end; now and then backward, so that there is recursion.
        result.what = random(8) ? std::min(number + 1 + random(6), options_.functions - 1) : random(number + 1);
        break;
      case 2:
        result.op = Op::kCCall;
        result.what = random(8);
        break;
      case 3:
        if (place > 0) result = with_loop(result, place);
        break;
      case 4:
        if (options_.rare && random(2) == 0) result.op = random(2) ? Op::kRaise : Op::kYield;
        break;
      case 6:
      case 7:
        result.op = Op::kAllocate;
        result.what = 16 << random(8);
        break;
      case 8:
        result.op = Op::kFree;
        break;
      default:
        break;
    }
    return result;
  }

  Line with_loop(Line line, uint32_t place) {
    line.op = Op::kBack;
    line.where = random(place);
    line.what = 1 + random(12);
    return line;
  }

  void add_thread(uint32_t process) {
    const ProcessId pid = symbols_.intern_process({static_cast<int32_t>(100 + process), text("python app.py"), 0});
    Thread t;
    const auto number = static_cast<int32_t>(threads_.size());
    t.id = symbols_.add_thread(pid, 1000 + number, text("thread" + std::to_string(number)));
    t.now_ns = random(1000);
    threads_.push_back(std::move(t));
  }

  // What the stack and the labels are after an event.
  void follow(StackId& stack, LabelSetId& labels, const TraceEvent& e) {
    if (e.type == TraceType::kLabels) labels = LabelSetId{e.id};
    if (e.type == TraceType::kThreadEnd) stack = {};
    if (!moves(e.type)) return;
    if (is_exit(e.type)) {
      stack = symbols_.stack(stack).parent;
    } else {
      const StackStep step = step_from(symbols_, stack, e.type, e.id);
      stack = symbols_.intern_stack(step.parent, symbols_.intern_location(step.location));
    }
  }
  void take(Thread& t, const TraceEvent& e) { follow(t.stack, t.labels, e); }

  void emit(Thread& t, TraceType type, uint32_t id, std::array<uint64_t, kMaxTraceArguments> arguments = {}) {
    const TraceEvent e{.time_ns = t.now_ns, .type = type, .id = id, .arguments = arguments};
    follow(t.stack_ahead, t.labels_ahead, e);
    t.ahead.push_back(e);
  }
  // About `ns` pass: as times are measured, with some jitter, now and then a lot.
  void pass(Thread& t, uint32_t ns) { t.now_ns += ns + random(ns / 8 + 2) + (random(500) == 0 ? random(20000) : 0); }

  void enter(Thread& t, uint32_t body) {
    emit(t, TraceType::kCall, index(bodies_[body].id));
    t.calls.push_back({body, 0, 0});
  }

  void step(Thread& t) {
    if (!t.started) {
      t.started = true;
      emit(t, TraceType::kThreadStart, 0);
    }
    if (t.calls.empty()) {
      pass(t, 200);
      // Each kind once, then by chance.
      if (options_.rare) between_requests(t, t.requests < 8 ? t.requests : random(16));
      ++t.requests;
      return enter(t, random(std::min(options_.functions, 5u)));
    }
    if (options_.rare && t.calls.size() == 3 && !std::exchange(t.raised, true)) raise(t);
    Activation& a = t.calls.back();
    const Body& body = bodies_[a.body];
    if (a.line >= body.lines.size()) {
      pass(t, 20);
      emit(t, TraceType::kReturn, index(body.id));
      t.calls.pop_back();
      return;
    }
    const Line& line = body.lines[a.line++];
    pass(t, line.cost);
    if (options_.lines) emit(t, TraceType::kLine, index(line.location));
    if (options_.instructions)
      for (const LocationId i : line.instructions) {
        pass(t, 12);
        emit(t, TraceType::kInstruction, index(i));
      }
    execute(t, a, line);
  }

  void execute(Thread& t, Activation& a, const Line& line) {
    switch (line.op) {
      case Op::kPlain:
        return;
      case Op::kCall:
        if (t.calls.size() < options_.max_depth) enter(t, line.what);
        return;
      case Op::kCCall:
        pass(t, 25);
        emit(t, TraceType::kCCall, index(c_functions_[line.what]));
        pass(t, 60);
        emit(t, TraceType::kCReturn, index(c_functions_[line.what]));
        return;
      case Op::kBack:
        // Loops in loops end as well.
        if (++a.trips % (line.what + 1) != 0 && a.trips < 60) a.line = line.where;
        return;
      case Op::kAllocate:
        return allocate(t, line.what);
      case Op::kFree:
        return release(t);
      case Op::kRaise:
        return raise(t);
      case Op::kYield:
        return yield(t);
    }
  }

  void allocate(Thread& t, uint32_t bytes) {
    pass(t, 20);
    const uint32_t type = index(types_[random(12)]);
    const uint64_t address = 0x7F0000000000 + next_address_;
    next_address_ += bytes;
    const bool object = random(3) == 0;
    if (object)
      emit(t, TraceType::kObject, type, {address, bytes});
    else
      emit(t, TraceType::kAllocation, type, {address, bytes});
    t.live.push_back({address, bytes, type, t.stack_ahead, t.id, t.labels_ahead, t.now_ns, object});
    if (!object) t.allocated_last = true;
    if (t.live.size() > 3000) release(t);
    if (random(800) == 0) emit(t, TraceType::kGc, random(3), {1000 + random(100000), random(50), random(2)});
  }

  void release(Thread& t) {
    if (t.live.empty()) return;
    pass(t, 15);
    const size_t place = random(3) ? t.live.size() - 1 : random(static_cast<uint32_t>(t.live.size()));
    const Block b = t.live[place];
    t.live[place] = t.live.back();
    t.live.pop_back();
    if (b.is_object)
      emit(t, TraceType::kObjectEnd, b.type,
           {b.address, b.bytes, index(b.stack), index(b.thread), index(b.labels),
            static_cast<uint64_t>(t.now_ns - b.born_ns), 1 + random(40)});
    else
      emit(t, TraceType::kFree, b.type,
           {b.address, b.bytes, index(b.stack), index(b.thread), index(b.labels),
            t.allocated_last && place == t.live.size()});
    t.allocated_last = false;
  }

  // Some functions are left, then one goes on after its `except`.
  void raise(Thread& t) {
    const StackId raised = t.stack_ahead;
    const int64_t begin = t.now_ns;
    const auto depth = static_cast<uint32_t>(t.calls.size());
    const uint32_t unwound = depth > 1 ? 1 + random(depth - 1) : 0;
    for (uint32_t i = 0; i < unwound; ++i) {
      pass(t, 80);
      emit(t, TraceType::kUnwind, index(bodies_[t.calls.back().body].id));
      t.calls.pop_back();
    }
    const Body& body = bodies_[t.calls.back().body];
    pass(t, 50);
    const LocationId caught = body.lines[random(static_cast<uint32_t>(body.lines.size()))].location;
    emit(t, TraceType::kException, index(text("Error" + std::to_string(random(3)))),
         {index(raised), random(4) ? index(caught) + 1 : 0, unwound, static_cast<uint64_t>(t.now_ns - begin)});
  }

  void yield(Thread& t) {
    const FunctionId f = bodies_[t.calls.back().body].id;
    emit(t, TraceType::kYield, index(f));
    pass(t, 100);
    emit(t, random(5) ? TraceType::kResume : TraceType::kThrow, index(f));
  }

  void between_requests(Thread& t, uint32_t kind) {
    switch (kind) {
      case 0:
        return emit(t, TraceType::kLabels, index(label_sets_[random(4)]));
      case 1:
        return emit(t, TraceType::kImport, index(text("module" + std::to_string(random(30)))),
                    {5000 + random(90000), 1000 + random(4000), index(text("__main__")), random(2)});
      case 2:
        return emit(t, TraceType::kSpan, index(text("query")), {random(5000), index(text("database"))});
      case 3:
        return emit(t, TraceType::kCounter, index(text("rss_bytes")), {(1 << 20) + random(1 << 20)});
      case 4:
        return emit(t, TraceType::kHeap, index(types_[0]), {random(100), random(10000), random(50), 0});
      case 5:
        return emit(t, TraceType::kLoss, v1::LOSS_REASON_RING_FULL, {1 + random(100)});
      case 6:
        return emit(t, TraceType::kLocal, index(text("n")), {index(text(std::to_string(random(100))))});
      case 7:
        emit(t, TraceType::kThreadEnd, 0);
        pass(t, 5000);
        return emit(t, TraceType::kThreadStart, 0);
      default:
        return;
    }
  }

  Symbols& symbols_;
  TraceProgramOptions options_;
  uint64_t random_ = 0;
  std::vector<StringId> types_;
  std::vector<Body> bodies_;
  std::vector<FunctionId> c_functions_;
  std::vector<LabelSetId> label_sets_;
  std::vector<Thread> threads_;
  uint64_t next_address_ = 0;
};

}  // namespace pycroscope::test

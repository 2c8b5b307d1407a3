// Everything that a session holds, streamed, as one object:
//   {"format": "pycroscope-samples", "version": 1,
//    "session": {id, name, state, pid, command, python, started_at, duration_ns, mode, rate_hz, samples, loss: {...}},
//    "weights": "cpu" | "wall",           what weight_ns is
//    "files": [path, ...],
//    "functions": [[name, file, first_line, kind], ...],        kind: "python" "native" "kernel"
//    "locations": [[function, line, offset], ...],              line 0, offset -1: unknown
//    "stacks": [[parent, location], ...],                       stack 0 is the empty one: null
//    "threads": [[pid, tid, name, command], ...],
//    "label_sets": [{key: value, ...}, ...],
//    "samples": [[time_ns, thread, stack, weight_ns, label_set, truncated], ...],
//    "trace": [{"type", "time_ns", "thread", "stack", "label_set", ...}, ...]}     where there is one
// Numbers that name things are indices into the lists above. Every raw sample and every event of complete tracing that
// the filter lets through is there: an event's `stack` is the one after it; "function", "location" or "name" say what
// it is of, "duration_ns" how long that took where it is known; what else it has stands under its own name, and
// "locals".
#include "analysis/passes/json.h"

#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>

#include <iterator>
#include <string>
#include <vector>

#include "analysis/export/export.h"
#include "analysis/export/weight.h"
#include "analysis/model/session_words.h"
#include "analysis/passes/trace_walk.h"
#include "analysis/passes/view_json.h"

namespace pycroscope {
namespace {

constexpr size_t kChunk = size_t{64} << 10;

std::string_view kind_name(v1::FrameKind kind) {
  switch (kind) {
    case v1::FRAME_KIND_NATIVE:
      return "native";
    case v1::FRAME_KIND_KERNEL:
      return "kernel";
    default:
      return "python";
  }
}

class JsonWriter {
 public:
  JsonWriter(const PassContext& context, const ExportOutput& output)
      : context_(context), symbols_(context.symbols()), output_(output), mark_(symbols_.mark()) {}

  Status write() {
    out_ = "{\"format\": \"pycroscope-samples\", \"version\": 1,\n\"session\": ";
    append_session();
    fmt::format_to(std::back_inserter(out_), ",\n\"weights\": \"{}\"", context_.knows().wall() ? "wall" : "cpu");
    PYC_CHECK(write_list("files", mark_.files, [&](uint32_t i) {
      append_json_string(out_, symbols_.string(symbols_.file(FileId{i}).path));
    }));
    PYC_CHECK(write_list("functions", mark_.functions, [&](uint32_t i) { append_function(FunctionId{i}); }));
    PYC_CHECK(write_list("locations", mark_.locations, [&](uint32_t i) {
      const Location& l = symbols_.location(LocationId{i});
      fmt::format_to(std::back_inserter(out_), "[{},{},{}]", index(l.function), l.line, l.offset);
    }));
    PYC_CHECK(write_list("stacks", mark_.stacks, [&](uint32_t i) {
      const Stack& s = symbols_.stack(StackId{i});
      if (i)
        fmt::format_to(std::back_inserter(out_), "[{},{}]", index(s.parent), index(s.location));
      else
        out_ += "null";
    }));
    PYC_CHECK(write_list("threads", mark_.threads, [&](uint32_t i) { append_thread(ThreadId{i}); }));
    PYC_CHECK(write_list("label_sets", mark_.label_sets, [&](uint32_t i) { append_labels(LabelSetId{i}); }));
    PYC_CHECK(write_samples());
    if (context_.trace()) PYC_CHECK(write_trace());
    out_ += "}\n";
    return output_(out_);
  }

 private:
  template <class Append>
  Status write_list(std::string_view name, uint32_t count, Append append) {
    fmt::format_to(std::back_inserter(out_), ",\n\"{}\": [", name);
    for (uint32_t i = 0; i < count; ++i) {
      out_ += i ? ",\n" : "\n";
      append(i);
      PYC_CHECK(flush());
    }
    out_ += ']';
    return {};
  }

  Status flush() {
    if (out_.size() < kChunk) return {};
    PYC_CHECK(output_(out_));
    out_.clear();
    return {};
  }

  void append_session() {
    const v1::Session& s = context_.reader().session();
    auto add = [&](std::string_view key, const std::string& value) {
      fmt::format_to(std::back_inserter(out_), "{}\"{}\": {}", out_.ends_with('{') ? "" : ", ", key, value);
    };
    std::string command;
    for (const std::string& word : s.target().command()) command += (command.empty() ? "" : " ") + word;
    out_ += '{';
    add("id", json_string(s.id()));
    add("name", json_string(s.name()));
    add("state", json_string(state_name(s.state())));
    add("pid", std::to_string(s.target().pid()));
    add("command", json_string(command));
    add("python", json_string(s.target().interpreter().version()));
    add("started_at", json_string(google::protobuf::util::TimeUtil::ToString(s.started_at())));
    add("duration_ns", std::to_string(s.duration_ns()));
    add("mode", json_string(mode_name(s.config().mode())));
    add("rate_hz", fmt::format("{}", s.config().rate_hz()));
    add("samples", std::to_string(s.samples()));
    add("loss", loss_json(context_.header().loss()));
    out_ += '}';
  }

  void append_function(FunctionId id) {
    const Function& f = symbols_.function(id);
    out_ += '[';
    append_json_string(out_, symbols_.string(f.name));
    fmt::format_to(std::back_inserter(out_), ",{},{},\"{}\"]", index(f.file), f.first_line, kind_name(f.kind));
  }

  void append_thread(ThreadId id) {
    const Thread& thread = symbols_.thread(id);
    const TracedProcess& process = symbols_.process(thread.process);
    fmt::format_to(std::back_inserter(out_), "[{},{},", process.pid, thread.tid);
    append_json_string(out_, symbols_.string(thread.name));
    out_ += ',';
    append_json_string(out_, symbols_.string(process.command));
    out_ += ']';
  }

  void append_labels(LabelSetId id) {
    out_ += '{';
    for (const Label& label : symbols_.labels(id)) {
      if (!out_.ends_with('{')) out_ += ", ";
      append_json_string(out_, symbols_.string(label.key));
      out_ += ": ";
      append_json_string(out_, symbols_.string(label.value));
    }
    out_ += '}';
  }

  Status write_samples() {
    const v1::ViewFilter& filter = context_.request().filter();
    PYC_TRY(EventFilter range, time_range(filter));
    SampleFilter wanted(symbols_, filter);
    std::vector<uint8_t> selected = context_.stack_selection();
    out_ += ",\n\"samples\": [";
    std::string_view before = "\n";
    Status written;
    PYC_CHECK(context_.reader().samples(range, [&](const SampleColumns& b) {
      for (size_t i = 0; i < b.size() && written; ++i) {
        if (!wanted(b, i) || !selected[b.stack[i]]) continue;
        fmt::format_to(std::back_inserter(out_), "{}[{},{},{},{},{},{}]", before, b.time_ns[i], b.thread[i], b.stack[i],
                       b.weight_ns[i], b.label_set[i], b.truncated[i] != 0);
        before = ",\n";
        written = flush();
      }
    }));
    out_ += ']';
    return written;
  }

  Status write_trace() {
    const v1::ViewFilter& filter = context_.request().filter();
    PYC_TRY(const EventFilter range, time_range(filter));
    const std::vector<uint8_t> selected = context_.stack_selection();
    TraceWalk walk(context_.reader());
    out_ += ",\n\"trace\": [";
    std::string_view before = "\n";
    for (const TraceBlockPlace& place : context_.reader().trace_blocks()) {
      if (place.summary.max_ns < range.from_ns || place.summary.min_ns >= range.to_ns) continue;
      for (const WalkedEvent& e : walk.block(place)) {
        if (e.event.time_ns < range.from_ns || e.event.time_ns >= range.to_ns) continue;
        if (!context_.selects(e.thread, e.labels) || !selected[index(e.stack)]) continue;
        out_ += before;
        before = ",\n";
        append_event(e);
        PYC_CHECK(flush());
      }
    }
    out_ += ']';
    return {};
  }

  void append_event(const WalkedEvent& e) {
    const TraceShape& shape = trace_shape(e.event.type);
    const auto out = std::back_inserter(out_);
    fmt::format_to(out, "{{\"type\": \"{}\", \"time_ns\": {}, \"thread\": {}, \"stack\": {}, \"label_set\": {}",
                   shape.name, e.event.time_ns, index(e.thread), index(e.stack), index(e.labels));
    switch (shape.id) {
      case TraceRef::kFunction:
        fmt::format_to(out, ", \"function\": {}", e.event.id);
        break;
      case TraceRef::kLocation:
        fmt::format_to(out, ", \"location\": {}", e.event.id);
        break;
      case TraceRef::kString:
        out_ += ", \"name\": ";
        append_json_string(out_, symbols_.string(StringId{e.event.id}));
        break;
      default:
        break;
    }
    if (e.event.type == TraceType::kGc) fmt::format_to(out, ", \"generation\": {}", e.event.id);
    if (is_exit(e.event.type) && e.duration_ns >= 0) fmt::format_to(out, ", \"duration_ns\": {}", e.duration_ns);
    for (uint8_t i = 0; i < shape.argument_count; ++i) {
      fmt::format_to(out, ", \"{}\": ", shape.argument_names[i]);
      if (shape.arguments[i] == TraceRef::kString)
        append_json_string(out_, symbols_.string(StringId{static_cast<uint32_t>(e.event.arguments[i])}));
      else
        fmt::format_to(out, "{}", e.event.arguments[i]);
    }
    if (!e.locals.empty()) append_locals(e);
    out_ += '}';
  }

  void append_locals(const WalkedEvent& e) {
    out_ += ", \"locals\": {";
    for (const auto& [name, text] : e.locals) {
      if (!out_.ends_with('{')) out_ += ", ";
      append_json_string(out_, symbols_.string(name));
      out_ += ": ";
      append_json_string(out_, symbols_.string(text));
    }
    out_ += '}';
  }

  const PassContext& context_;
  const Symbols& symbols_;
  const ExportOutput& output_;
  Symbols::Mark mark_;
  std::string out_;
};

}  // namespace

Status export_json(const ExportInput& input, const ExportOutput& output) {
  v1::ViewRequest request = view_request(input.request);
  PYC_TRY(PassContext context, PassContext::create(input.reader, request));
  PYC_CHECK(export_weight(context, input.request.weight(), ""));
  return JsonWriter(context, output).write();
}

}  // namespace pycroscope

// The Firefox Profiler's "processed" format, version 60: threads with their samples, and the tables of stacks, frames,
// functions, sources and strings that all threads share. The profiler converts older versions when it opens a file.
//   https://github.com/firefox-devtools/profiler/blob/main/docs-developer/CHANGELOG-formats.md
// Where the weight is time, samples weigh their milliseconds.
#include <google/protobuf/util/time_util.h>

#include <string>
#include <vector>

#include "analysis/export/export.h"
#include "analysis/export/gecko_tables.h"
#include "analysis/export/pieces.h"
#include "analysis/export/thread_runs.h"
#include "analysis/export/weight.h"

namespace pycroscope {
namespace {

constexpr int kFormatVersion = 60, kGeckoVersion = 27;

class Writer {
 public:
  Writer(const PassContext& context, ExportWeight weight, const ExportOutput& output)
      : context_(context),
        symbols_(context.symbols()),
        weight_(weight),
        out_(output),
        frames_(context),
        functions_(symbols_, strings_) {}

  Status write(const ThreadRuns& threads) {
    out_.add("{\"libs\": [], \"threads\": [");
    std::string_view before = "\n";
    for (const auto& [thread, runs] : threads) {
      out_.add(std::exchange(before, ",\n"));
      PYC_CHECK(write_thread(ThreadId{thread}, runs));
    }
    out_.add("],\n\"shared\": {");
    PYC_CHECK(write_stacks());
    PYC_CHECK(write_frames());
    PYC_CHECK(write_functions());
    PYC_CHECK(write_strings());
    out_.add("},\n\"meta\": {");
    add_meta();
    out_.add("}}\n");
    return out_.finish();
  }

 private:
  template <class Items, class Add>
  Status column(std::string_view name, const Items& items, Add add) {
    out_.format("\"{}\": ", name);
    PYC_CHECK(out_.json_list(items, add));
    out_.add(",\n");
    return {};
  }
  template <class Items>
  Status constant_column(std::string_view name, const Items& items, std::string_view value) {
    return column(name, items, [&](const auto&) { out_.add(value); });
  }
  void add_number(uint32_t number) {
    if (number == kNoEntry)
      out_.add("null");
    else
      out_.format("{}", number);
  }
  void add_milliseconds(int64_t ns) { out_.format("{}.{:06}", ns / 1'000'000, ns % 1'000'000); }

  Status write_thread(ThreadId id, const std::vector<Run>& runs) {
    const Thread& thread = symbols_.thread(id);
    const TracedProcess& process = symbols_.process(thread.process);
    out_.add("{\"processType\": \"default\", \"processStartupTime\": 0, \"processShutdownTime\": null, ");
    out_.add("\"registerTime\": 0, \"unregisterTime\": null, \"pausedRanges\": [],\n\"name\": ");
    out_.json_string(thread_text(symbols_, id));
    out_.add(", \"processName\": ");
    out_.json_string(symbols_.string(process.command));
    out_.format(", \"isMainThread\": {}, \"pid\": \"{}\", \"tid\": {},\n", thread.tid == process.pid, process.pid,
                thread.tid);
    out_.add("\"markers\": {\"data\": [], \"name\": [], \"startTime\": [], \"endTime\": [], \"phase\": [], ");
    out_.add("\"category\": [], \"length\": 0},\n\"samples\": {");
    PYC_CHECK(column("stack", runs, [&](const Run& run) { add_number(stack(run)); }));
    PYC_CHECK(column("time", runs, [&](const Run& run) { add_milliseconds(run.end_ns); }));
    PYC_CHECK(column("weight", runs, [&](const Run& run) { add_weight(run.weight); }));
    if (context_.knows().cpu())
      PYC_CHECK(column("threadCPUDelta", runs, [&](const Run& run) { out_.format("{}", run.weight.cpu_ns); }));
    out_.format("\"weightType\": \"{}\", \"length\": {}}}}}", weight_.time ? "tracing-ms" : "samples", runs.size());
    return {};
  }

  void add_weight(const Weight& weight) {
    if (weight_.time)
      add_milliseconds(static_cast<int64_t>(weight_.of(weight)));
    else
      out_.format("{}", weight_.of(weight));
  }

  uint32_t stack(const Run& run) {
    uint32_t prefix = kNoEntry;
    for (uint32_t frame : frames_.stack(run.stack, run.group)) prefix = stacks_({prefix, frame, 0});
    return prefix;
  }

  Status write_stacks() {
    const std::vector<DenseIndex::Key>& stacks = stacks_.keys();
    out_.add("\"stackTable\": {");
    PYC_CHECK(column("prefix", stacks, [&](const DenseIndex::Key& key) { add_number(key[0]); }));
    PYC_CHECK(column("frame", stacks, [&](const DenseIndex::Key& key) { out_.format("{}", key[1]); }));
    out_.format("\"length\": {}}},\n", stacks.size());
    return {};
  }

  Status write_frames() {
    struct GeckoFrame {
      uint32_t function = 0, line = 0;
    };
    std::vector<GeckoFrame> frames;
    for (uint32_t i = 0; i < frames_.size(); ++i) {
      FrameList::Frame frame = frames_.frame(i);
      frames.push_back({functions_.number(frame), frame.line});
    }
    out_.add("\"frameTable\": {");
    PYC_CHECK(column("func", frames, [&](const GeckoFrame& frame) { out_.format("{}", frame.function); }));
    PYC_CHECK(column("line", frames, [&](const GeckoFrame& frame) { add_number(frame.line ? frame.line : kNoEntry); }));
    PYC_CHECK(column("category", frames, [&](const GeckoFrame& frame) {
      out_.format("{}", functions_.functions()[frame.function].category);
    }));
    PYC_CHECK(constant_column("address", frames, "-1"));
    PYC_CHECK(constant_column("inlineDepth", frames, "0"));
    PYC_CHECK(constant_column("subcategory", frames, "0"));
    PYC_CHECK(constant_column("nativeSymbol", frames, "null"));
    PYC_CHECK(constant_column("innerWindowID", frames, "0"));
    PYC_CHECK(constant_column("column", frames, "null"));
    out_.format("\"length\": {}}},\n", frames.size());
    return {};
  }

  Status write_functions() {
    const std::vector<GeckoFunction>& functions = functions_.functions();
    out_.add("\"funcTable\": {");
    PYC_CHECK(column("name", functions, [&](const GeckoFunction& f) { out_.format("{}", f.name); }));
    PYC_CHECK(column("source", functions, [&](const GeckoFunction& f) { add_number(f.source); }));
    PYC_CHECK(column("lineNumber", functions,
                     [&](const GeckoFunction& f) { add_number(f.first_line ? f.first_line : kNoEntry); }));
    PYC_CHECK(constant_column("columnNumber", functions, "null"));
    PYC_CHECK(constant_column("isJS", functions, "false"));
    PYC_CHECK(constant_column("relevantForJS", functions, "false"));
    PYC_CHECK(constant_column("resource", functions, "-1"));
    out_.format("\"length\": {}}},\n", functions.size());
    out_.add("\"resourceTable\": {\"lib\": [], \"name\": [], \"host\": [], \"type\": [], \"length\": 0},\n");
    out_.add("\"nativeSymbols\": {\"libIndex\": [], \"address\": [], \"name\": [], \"functionSize\": [], ");
    out_.add("\"length\": 0},\n");
    return {};
  }

  Status write_strings() {
    const std::vector<std::string>& sources = functions_.sources();
    out_.add("\"sources\": {");
    PYC_CHECK(column("filename", sources, [&](const std::string& path) { out_.format("{}", strings_(path)); }));
    PYC_CHECK(constant_column("uuid", sources, "null"));
    out_.format("\"length\": {}}},\n\"stringArray\": ", sources.size());
    return out_.json_list(strings_.texts(), [&](const std::string& text) { out_.json_string(text); });
  }

  void add_meta() {
    using google::protobuf::util::TimeUtil;
    const v1::Session& session = context_.reader().session();
    const v1::ViewHeader header = context_.header();
    const double rate = session.config().rate_hz();
    out_.format("\"version\": {}, \"preprocessedProfileVersion\": {}, \"interval\": {}, ", kGeckoVersion,
                kFormatVersion, rate > 0 ? 1000 / rate : 1);
    out_.add("\"startTime\": ");
    add_milliseconds(TimeUtil::TimestampToNanoseconds(session.started_at()));
    out_.add(", \"profilingStartTime\": ");
    add_milliseconds(header.from_ns());
    out_.add(", \"profilingEndTime\": ");
    add_milliseconds(header.to_ns());
    out_.add(",\n\"product\": ");
    out_.json_string(session_title(session));
    out_.add(", \"importedFrom\": \"Pycroscope\", \"processType\": 0, \"stackwalk\": 0, \"debug\": false, ");
    out_.add("\"symbolicated\": true, \"usesOnlyOneStackType\": true, \"sourceCodeIsNotOnSearchfox\": true, ");
    out_.add("\"markerSchema\": [],\n\"sampleUnits\": {\"time\": \"ms\", \"eventDelay\": \"ms\", ");
    out_.add("\"threadCPUDelta\": \"ns\"},\n\"extra\": [{\"label\": \"Recording\", \"entries\": [");
    out_.format("{{\"label\": \"Samples lost\", \"format\": \"integer\", \"value\": {}}}]}}],\n\"categories\": [",
                header.loss().lost());
    const std::vector<std::string>& categories = functions_.categories();
    for (size_t i = 0; i < categories.size(); ++i) {
      out_.format("{}{{\"color\": \"{}\", \"subcategories\": [\"Other\"], \"name\": ", i ? ",\n" : "\n",
                  category_colour(categories[i], i));
      out_.json_string(categories[i]);
      out_.add("}");
    }
    out_.add("]");
  }

  const PassContext& context_;
  const Symbols& symbols_;
  ExportWeight weight_;
  Pieces out_;
  FrameList frames_;
  TextList strings_;
  FunctionTable functions_;
  DenseIndex stacks_;  // (prefix, frame)
};

}  // namespace

Status export_gecko(const ExportInput& input, const ExportOutput& output) {
  v1::ViewRequest request = view_request(input.request);
  PYC_TRY(PassContext context, PassContext::create(input.reader, request));
  PYC_TRY(ExportWeight weight, export_weight(context, input.request.weight(), ""));
  PYC_TRY(ThreadRuns threads, thread_runs(context, RunMerge::kNone));
  return Writer(context, weight, output).write(threads);
}

}  // namespace pycroscope

// https://www.speedscope.app/file-format-schema.json: one "sampled" profile per thread, in order of time, with equal
// neighbours merged. Above kMaxRuns the order of time is given up and equal stacks of a thread are merged.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "analysis/export/export.h"
#include "analysis/export/frame_list.h"
#include "analysis/export/weight.h"
#include "analysis/passes/fold.h"
#include "analysis/passes/json.h"

namespace pycroscope {
namespace {

constexpr size_t kChunk = size_t{64} << 10;
constexpr size_t kMaxRuns = 1'000'000;

struct Run {
  StackId stack{};
  Weight weight;
};
using ThreadRuns = std::map<uint32_t, std::vector<Run>>;  // by ThreadId

Result<ThreadRuns> runs_in_time(const PassContext& context) {
  const v1::ViewFilter& filter = context.request().filter();
  PYC_TRY(EventFilter range, time_range(filter));
  const SampleFilter wanted(context.symbols(), filter);
  const SampleWeights weight_of(context.symbols());
  std::vector<uint8_t> selected = context.stack_selection();
  ThreadRuns threads;
  size_t count = 0;
  PYC_CHECK(context.reader().samples(range, [&](const SampleColumns& batch) {
    for (size_t i = 0; i < batch.size() && count <= kMaxRuns; ++i) {
      if (!wanted(batch, i) || !selected[batch.stack[i]]) continue;
      std::vector<Run>& runs = threads[batch.thread[i]];
      if (runs.empty() || index(runs.back().stack) != batch.stack[i]) {
        runs.push_back({StackId{batch.stack[i]}, {}});
        ++count;
      }
      runs.back().weight += weight_of(batch, i);
    }
  }));
  if (count <= kMaxRuns) return threads;
  threads.clear();
  for (const StackWeight& s : context.stacks_with_selected()) threads[index(s.thread)].push_back({s.stack, s.weight});
  return threads;
}

class Writer {
 public:
  Writer(const PassContext& context, ExportWeight weight, const ExportOutput& output)
      : context_(context),
        symbols_(context.symbols()),
        weight_(weight),
        output_(output),
        frames_(symbols_, !context.request().tree().no_lines()) {}

  Status write(const ThreadRuns& threads) {
    const v1::Session& session = context_.reader().session();
    out_ =
        "{\"$schema\": \"https://www.speedscope.app/file-format-schema.json\", \"exporter\": "
        "\"pycroscope\",\n\"name\": ";
    append_json_string(out_, session.name().empty() ? session.id() : session.name());
    out_ += ",\n\"profiles\": [";
    std::string_view before = "\n";
    for (const auto& [thread, runs] : threads) {
      out_ += before;
      PYC_CHECK(write_profile(profile_name(ThreadId{thread}), runs));
      before = ",\n";
    }
    if (threads.empty()) PYC_CHECK(write_profile("no samples", {}));  // speedscope refuses a file without profiles
    out_ += "],\n\"shared\": {\"frames\": [";
    for (uint32_t i = 0; i < frames_.size(); ++i) {
      out_ += i ? ",\n" : "\n";
      append_frame(frames_.frame(i));
      PYC_CHECK(flush(kChunk));
    }
    out_ += "]}}\n";
    return flush(0);
  }

 private:
  Status flush(size_t above) {
    if (out_.size() <= above) return {};
    PYC_CHECK(output_(out_));
    out_.clear();
    return {};
  }

  Status write_profile(std::string_view name, const std::vector<Run>& runs) {
    out_ += "{\"type\": \"sampled\", \"name\": ";
    append_json_string(out_, name);
    uint64_t total = 0;
    for (const Run& run : runs) total += weight_.of(run.weight);
    fmt::format_to(std::back_inserter(out_), ", \"unit\": \"{}\", \"startValue\": 0, \"endValue\": {},\n\"samples\": [",
                   weight_.time ? "nanoseconds" : "none", total);
    for (size_t i = 0; i < runs.size(); ++i) {
      fmt::format_to(std::back_inserter(out_), "{}[{}]", i ? "," : "", fmt::join(frames_.stack(runs[i].stack), ","));
      PYC_CHECK(flush(kChunk));
    }
    out_ += "],\n\"weights\": [";
    for (size_t i = 0; i < runs.size(); ++i) {
      fmt::format_to(std::back_inserter(out_), "{}{}", i ? "," : "", weight_.of(runs[i].weight));
      PYC_CHECK(flush(kChunk));
    }
    out_ += "]}";
    return {};
  }

  std::string profile_name(ThreadId thread) const {
    std::string name = thread_text(symbols_, thread);
    if (!context_.request().tree().by_process()) return name;
    return process_text(symbols_, symbols_.thread(thread).process) + " / " + name;
  }

  void append_frame(const FrameList::Frame& frame) {
    if (frame.no_python) {
      out_ += "{\"name\": \"[no Python]\"}";
      return;
    }
    const Function& f = symbols_.function(frame.function);
    out_ += "{\"name\": ";
    append_json_string(out_, symbols_.string(f.name));
    out_ += ", \"file\": ";
    append_json_string(out_, symbols_.string(symbols_.file(f.file).path));
    if (frame.line) fmt::format_to(std::back_inserter(out_), ", \"line\": {}", frame.line);
    out_ += '}';
  }

  const PassContext& context_;
  const Symbols& symbols_;
  ExportWeight weight_;
  const ExportOutput& output_;
  FrameList frames_;
  std::string out_;
};

}  // namespace

Status export_speedscope(const ExportInput& input, const ExportOutput& output) {
  v1::ViewRequest request = view_request(input.request);
  PYC_TRY(PassContext context, PassContext::create(input.reader, request));
  PYC_TRY(ExportWeight weight, export_weight(context, input.request.weight(), ""));
  PYC_TRY(ThreadRuns threads, runs_in_time(context));
  return Writer(context, weight, output).write(threads);
}

}  // namespace pycroscope

// https://www.speedscope.app/file-format-schema.json: one "sampled" profile per thread, in order of time, with equal
// neighbours merged.
#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "analysis/export/export.h"
#include "analysis/export/frame_list.h"
#include "analysis/export/pieces.h"
#include "analysis/export/thread_runs.h"
#include "analysis/export/weight.h"

namespace pycroscope {
namespace {

class Writer {
 public:
  Writer(const PassContext& context, ExportWeight weight, const ExportOutput& output)
      : context_(context), symbols_(context.symbols()), weight_(weight), out_(output), frames_(context) {}

  Status write(const ThreadRuns& threads) {
    const v1::Session& session = context_.reader().session();
    out_.add(
        "{\"$schema\": \"https://www.speedscope.app/file-format-schema.json\", \"exporter\": "
        "\"pycroscope\",\n\"name\": ");
    out_.json_string(session.name().empty() ? session.id() : session.name());
    out_.add(",\n\"profiles\": [");
    std::string_view before = "\n";
    for (const auto& [thread, runs] : threads) {
      out_.add(std::exchange(before, ",\n"));
      PYC_CHECK(write_profile(profile_name(ThreadId{thread}), runs));
    }
    if (threads.empty()) PYC_CHECK(write_profile("no samples", {}));  // speedscope refuses a file without profiles
    out_.add("],\n\"shared\": {\"frames\": [");
    for (uint32_t i = 0; i < frames_.size(); ++i) {
      out_.add(i ? ",\n" : "\n");
      add_frame(frames_.frame(i));
      PYC_CHECK(out_.flush());
    }
    out_.add("]}}\n");
    return out_.finish();
  }

 private:
  Status write_profile(std::string_view name, const std::vector<Run>& runs) {
    out_.add("{\"type\": \"sampled\", \"name\": ");
    out_.json_string(name);
    uint64_t total = 0;
    for (const Run& run : runs) total += weight_.of(run.weight);
    out_.format(", \"unit\": \"{}\", \"startValue\": 0, \"endValue\": {},\n\"samples\": ",
                weight_.time ? "nanoseconds" : "none", total);
    PYC_CHECK(out_.json_list(
        runs, [&](const Run& run) { out_.format("[{}]", fmt::join(frames_.stack(run.stack, run.group), ",")); }));
    out_.add(",\n\"weights\": ");
    PYC_CHECK(out_.json_list(runs, [&](const Run& run) { out_.format("{}", weight_.of(run.weight)); }));
    out_.add("}");
    return {};
  }

  std::string profile_name(ThreadId thread) const {
    std::string name = thread_text(symbols_, thread);
    if (!context_.tells_processes()) return name;
    return process_text(symbols_, symbols_.thread(thread).process) + " / " + name;
  }

  void add_frame(const FrameList::Frame& frame) {
    out_.add("{\"name\": ");
    if (frame.text.empty()) {
      const Function& f = symbols_.function(frame.function);
      out_.json_string(symbols_.string(f.name));
      out_.add(", \"file\": ");
      out_.json_string(symbols_.string(symbols_.file(f.file).path));
      if (frame.line) out_.format(", \"line\": {}", frame.line);
    } else {
      out_.json_string(frame.text);
    }
    out_.add("}");
  }

  const PassContext& context_;
  const Symbols& symbols_;
  ExportWeight weight_;
  Pieces out_;
  FrameList frames_;
};

}  // namespace

Status export_speedscope(const ExportInput& input, const ExportOutput& output) {
  v1::ViewRequest request = view_request(input.request);
  PYC_TRY(PassContext context, PassContext::create(input.reader, request));
  PYC_TRY(ExportWeight weight, export_weight(context, input.request.weight(), ""));
  PYC_TRY(ThreadRuns threads, thread_runs(context, RunMerge::kNeighbours));
  return Writer(context, weight, output).write(threads);
}

}  // namespace pycroscope

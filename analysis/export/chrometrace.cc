// The Trace Event Format of chrome://tracing and Perfetto, as an object: a complete event ("X") for each call of a
// function that lasted over one or more samples of its thread, whatever line it was at. A sample is drawn as long as
// what it stands for, up to its tick; `args` say how many samples the event has and what they stand for. On each
// thread the outermost events add up to all of its samples.
//   https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <string>
#include <vector>

#include "analysis/export/export.h"
#include "analysis/export/frame_list.h"
#include "analysis/export/module_group.h"
#include "analysis/export/pieces.h"
#include "analysis/export/thread_runs.h"
#include "analysis/export/weight.h"

namespace pycroscope {
namespace {

constexpr int64_t kMicrosecond = 1000;

struct Event {
  uint32_t frame = 0;
  int64_t begin_ns = 0, end_ns = 0;
  Weight weight;
};

// The events of one thread in order of their begin, callers before what they call.
class CallEvents {
 public:
  void add(const Run& run, const std::vector<uint32_t>& frames) {
    // A pause that is shorter than what a sample stands for is the jitter of its tick.
    bool paused = run.begin_ns - end_ns_ > run.weight.ns;
    size_t kept = 0;
    while (!paused && kept < std::min(open_.size(), frames.size()) && events_[open_[kept]].frame == frames[kept])
      ++kept;
    // Begins lie apart from ends: some readers sort the two by time and would mix up what touches. Whole and half
    // microseconds are exact in the floating point numbers that readers keep times in.
    int64_t begin = run.begin_ns / kMicrosecond * kMicrosecond;
    for (size_t i = kept; i < open_.size(); ++i) {
      Event& ended = events_[open_[i]];
      ended.end_ns = std::max(ended.begin_ns, std::min(ended.end_ns, begin - kMicrosecond / 2));
    }
    open_.resize(kept);
    for (size_t i = kept; i < frames.size(); ++i) {
      open_.push_back(events_.size());
      events_.push_back({frames[i], begin, run.end_ns, {}});
    }
    for (size_t i : open_) {
      events_[i].end_ns = run.end_ns;
      events_[i].weight += run.weight;
    }
    end_ns_ = run.end_ns;
  }

  const std::vector<Event>& events() const { return events_; }

 private:
  std::vector<Event> events_;
  std::vector<size_t> open_;  // the calls of the newest sample, root first
  int64_t end_ns_ = 0;
};

class Writer {
 public:
  Writer(const PassContext& context, const ExportOutput& output)
      : context_(context), symbols_(context.symbols()), frames_(context, FrameLines::kMerged), out_(output) {}

  Status write(const ThreadRuns& threads) {
    out_.add("{\"displayTimeUnit\": \"ms\", \"otherData\": {");
    add_session();
    out_.add("},\n\"traceEvents\": [");
    for (const auto& [thread, runs] : threads) add_names(ThreadId{thread});
    for (const auto& [thread, runs] : threads) {
      CallEvents calls;
      for (const Run& run : runs) calls.add(run, frames_.stack(run.stack, run.group));
      for (const Event& event : calls.events()) {
        add_event(ThreadId{thread}, event);
        PYC_CHECK(out_.flush());
      }
    }
    out_.add("\n]}\n");
    return out_.finish();
  }

 private:
  void add_session() {
    const v1::Session& session = context_.reader().session();
    out_.add("\"profiler\": \"pycroscope\", \"session\": ");
    out_.json_string(session.id());
    out_.add(", \"command\": ");
    out_.json_string(session_title(session));
    out_.format(", \"started_at\": \"{}\", \"lost_samples\": {}",
                google::protobuf::util::TimeUtil::ToString(session.started_at()), context_.header().loss().lost());
  }

  void begin_event(std::string_view phase, ThreadId thread) {
    out_.format("{}\n{{\"ph\": \"{}\", \"pid\": {}, \"tid\": {}", std::exchange(before_, ","), phase, pid(thread),
                symbols_.thread(thread).tid);
  }

  void add_metadata(ThreadId thread, std::string_view what, std::string_view name) {
    begin_event("M", thread);
    out_.format(", \"ts\": 0, \"name\": \"{}\", \"args\": {{\"name\": ", what);
    out_.json_string(name);
    out_.add("}}");
  }

  void add_names(ThreadId thread) {
    add_metadata(thread, "process_name", symbols_.string(symbols_.process(symbols_.thread(thread).process).command));
    add_metadata(thread, "thread_name", thread_text(symbols_, thread));
  }

  // Microseconds.
  void add_time(std::string_view key, int64_t ns) { out_.format(", \"{}\": {}.{:03}", key, ns / 1000, ns % 1000); }

  void add_event(ThreadId thread, const Event& event) {
    const FrameList::Frame frame = frames_.frame(event.frame);
    begin_event("X", thread);
    add_time("ts", event.begin_ns);
    add_time("dur", event.end_ns - event.begin_ns);
    out_.format(", \"args\": {{\"samples\": {}, \"{}\": {}", event.weight.samples,
                context_.knows().wall() ? "wall_ns" : "cpu_ns", event.weight.ns);
    if (frame.text.empty()) {
      const Function& function = symbols_.function(frame.function);
      std::string_view path = symbols_.string(symbols_.file(function.file).path);
      out_.add(", \"file\": ");
      out_.json_string(path);
      if (frame.line) out_.format(", \"line\": {}", frame.line);
      out_.add("}, \"cat\": ");
      out_.json_string(module_group(path, function.kind));
      out_.add(", \"name\": ");
      out_.json_string(symbols_.string(function.name));
    } else {
      out_.add("}, \"cat\": \"pycroscope\", \"name\": ");
      out_.json_string(frame.text);
    }
    out_.add("}");
  }

  int32_t pid(ThreadId thread) const { return symbols_.process(symbols_.thread(thread).process).pid; }

  const PassContext& context_;
  const Symbols& symbols_;
  FrameList frames_;
  Pieces out_;
  std::string_view before_;
};

}  // namespace

Status export_chrometrace(const ExportInput& input, const ExportOutput& output) {
  v1::ViewRequest request = view_request(input.request);
  PYC_TRY(PassContext context, PassContext::create(input.reader, request));
  // The file holds samples and time both; a weight that is not known is refused all the same.
  PYC_CHECK(export_weight(context, input.request.weight(), ""));
  PYC_TRY(ThreadRuns threads, thread_runs(context, RunMerge::kNone));
  return Writer(context, output).write(threads);
}

}  // namespace pycroscope

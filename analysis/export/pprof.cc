// pprof's profile.proto, compressed: values are samples and the time that the session knows; threads, processes and
// labels are labels; the files of native code are mappings.
#include <google/protobuf/io/gzip_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <string>
#include <unordered_map>
#include <vector>

#include "analysis/export/export.h"
#include "analysis/export/frame_list.h"
#include "analysis/export/weight.h"
#include "profile.pb.h"

namespace pycroscope {
namespace {

class ProfileBuilder {
 public:
  explicit ProfileBuilder(const PassContext& context) : symbols_(context.symbols()), frames_(context) {
    text("");
    describe(context);
    for (const StackWeight& stack : context.stacks_with_selected()) add(stack);
  }

  const pprof::Profile& profile() const { return profile_; }

 private:
  int64_t text(std::string_view value) {
    auto [it, added] = texts_.try_emplace(std::string(value), profile_.string_table_size());
    if (added) profile_.add_string_table(it->first);
    return it->second;
  }

  void describe(const PassContext& context) {
    auto set = [&](pprof::ValueType& type, std::string_view name, std::string_view unit) {
      type.set_type(text(name));
      type.set_unit(text(unit));
    };
    // "cpu" and "wall" are what pprof's own profilers call these.
    std::string_view time = context.knows().wall() ? "wall" : "cpu";
    set(*profile_.add_sample_type(), "samples", "count");
    set(*profile_.add_sample_type(), time, "nanoseconds");
    set(*profile_.mutable_period_type(), time, "nanoseconds");
    profile_.set_default_sample_type(text(time));
    const v1::Session& session = context.reader().session();
    v1::ViewHeader header = context.header();
    if (session.config().rate_hz() > 0) profile_.set_period(static_cast<int64_t>(1e9 / session.config().rate_hz()));
    profile_.set_time_nanos(session.started_at().seconds() * 1'000'000'000 + session.started_at().nanos() +
                            header.from_ns());
    profile_.set_duration_nanos(header.to_ns() - header.from_ns());
    if (header.loss().lost()) profile_.add_comment(text("lost samples: " + std::to_string(header.loss().lost())));
  }

  uint64_t function_id(FunctionId id) {
    auto [it, added] = functions_.try_emplace(index(id), profile_.function_size() + 1);
    if (added) {
      const Function& f = symbols_.function(id);
      pprof::Function& function = *profile_.add_function();
      function.set_id(it->second);
      function.set_name(text(symbols_.string(f.name)));
      function.set_system_name(function.name());
      function.set_filename(text(symbols_.string(symbols_.file(f.file).path)));
      function.set_start_line(f.first_line);
    }
    return it->second;
  }

  // 0: Python code, which is in no module.
  uint64_t mapping_id(const Function& f) {
    if (f.kind == v1::FRAME_KIND_PYTHON) return 0;
    auto [it, added] = mappings_.try_emplace(index(f.file), profile_.mapping_size() + 1);
    if (added) {
      pprof::Mapping& mapping = *profile_.add_mapping();
      mapping.set_id(it->second);
      mapping.set_filename(text(symbols_.string(symbols_.file(f.file).path)));
      mapping.set_has_functions(true);
    }
    return it->second;
  }

  // Locations follow the frames: number + 1.
  void add_location(const FrameList::Frame& frame) {
    pprof::Location& location = *profile_.add_location();
    location.set_id(static_cast<uint64_t>(profile_.location_size()));
    pprof::Line& line = *location.add_line();
    if (!frame.text.empty()) {
      line.set_function_id(text_function(frame.text));
      return;
    }
    location.set_mapping_id(mapping_id(symbols_.function(frame.function)));
    line.set_function_id(function_id(frame.function));
    line.set_line(frame.line);
  }

  uint64_t text_function(std::string_view name) {
    pprof::Function& function = *profile_.add_function();
    function.set_id(static_cast<uint64_t>(profile_.function_size()));
    function.set_name(text(name));
    return function.id();
  }

  void add(const StackWeight& stack) {
    pprof::Sample& sample = *profile_.add_sample();
    const std::vector<uint32_t>& frames = frames_.stack(stack.stack, stack.group);
    for (size_t i = frames.size(); i-- > 0;) sample.add_location_id(uint64_t{frames[i]} + 1);
    while (profile_.location_size() < static_cast<int>(frames_.size()))
      add_location(frames_.frame(static_cast<uint32_t>(profile_.location_size())));
    sample.add_value(static_cast<int64_t>(stack.weight.samples));
    sample.add_value(stack.weight.ns);
    add_labels(sample, stack);
  }

  void add_labels(pprof::Sample& sample, const StackWeight& stack) {
    const Thread& thread = symbols_.thread(stack.thread);
    auto add_text = [&](std::string_view key, std::string_view value) {
      pprof::Label& label = *sample.add_label();
      label.set_key(text(key));
      label.set_str(text(value));
    };
    auto add_number = [&](std::string_view key, int64_t value) {
      pprof::Label& label = *sample.add_label();
      label.set_key(text(key));
      label.set_num(value);
    };
    if (thread.name != StringId{}) add_text("thread", symbols_.string(thread.name));
    add_number("tid", thread.tid);
    add_number("pid", symbols_.process(thread.process).pid);
    for (const Label& label : symbols_.labels(stack.labels))
      add_text(symbols_.string(label.key), symbols_.string(label.value));
  }

  const Symbols& symbols_;
  FrameList frames_;
  pprof::Profile profile_;
  std::unordered_map<std::string, int64_t> texts_;
  std::unordered_map<uint32_t, uint64_t> functions_, mappings_;
};

}  // namespace

Status export_pprof(const ExportInput& input, const ExportOutput& output) {
  v1::ViewRequest request = view_request(input.request);
  PYC_TRY(PassContext context, PassContext::create(input.reader, request));
  // The file holds samples and time both; a weight that is not known is refused all the same.
  PYC_CHECK(export_weight(context, input.request.weight(), ""));
  ProfileBuilder builder(context);
  std::string compressed;
  {
    google::protobuf::io::StringOutputStream memory(&compressed);
    google::protobuf::io::GzipOutputStream gzip(&memory);
    if (!builder.profile().SerializeToZeroCopyStream(&gzip) || !gzip.Close())
      return fail(ErrorCode::kFailed,
                  "the profile is larger than pprof's format allows; narrow it with --from and --to");
  }
  return output(compressed);
}

}  // namespace pycroscope

// Options that mean the same in every command.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/model/result.h"
#include "pycroscope/v1/session.pb.h"
#include "pycroscope/v1/views.pb.h"

namespace pycroscope {

// An option with one value that `parse` makes of its text; what parse() says becomes the usage error.
template <class T, class U>
CLI::Option* add_value(CLI::App& app, const std::string& names, T& target, Result<U> (*parse)(std::string_view),
                       const std::string& type_name, const std::string& description) {
  return app
      .add_option_function<std::string>(
          names,
          [&target, parse, names](const std::string& text) {
            Result<U> value = parse(text);
            if (!value) throw CLI::ValidationError(names.substr(names.rfind(",--") + 1), value.error().message);
            target = *std::move(value);
          },
          description)
      ->type_name(type_name);
}

// Where the service is; see connection.h for how they are used.
struct ServiceOptions {
  std::string socket;
  std::string store;
};
void add_service_options(CLI::App& app, ServiceOptions& options);

// -p PID, or PID alone. 0: not given.
void add_pid(CLI::App& app, int32_t& pid);
// kInvalid with a hint when no process was named.
Status require_pid(int32_t pid, std::string_view command);

// SESSION, by default the latest.
void add_session(CLI::App& app, std::string& session);

// What and how to record.
struct RecordOptions {
  int32_t pid = 0;  // not among the options below
  double rate_hz = 100;
  v1::SampleMode mode = v1::SAMPLE_MODE_UNSPECIFIED;  // the service's default, as the next
  std::vector<std::string> trace, include, exclude;
  v1::OnFull on_full = v1::ON_FULL_UNSPECIFIED;
  uint64_t max_hits = 0;  // 0: any
  std::string sampler;    // empty: the best that works
  std::optional<std::chrono::nanoseconds> duration;
  double max_cpu_percent = 0;  // 0: the service's default, as in the next
  uint64_t max_memory_bytes = 0;
  std::string name;
  std::optional<std::chrono::nanoseconds> ring, keep_raw;
  uint64_t max_bytes = 0, max_events = 0;  // 0: any
  std::string share;
};
void add_record_options(CLI::App& app, RecordOptions& options);
// --name --ring --max-size --max-events --keep-raw --share: what becomes of the session.
void add_keeping_options(CLI::App& app, RecordOptions& options);

// What part of a session.
struct FilterOptions {
  std::chrono::nanoseconds from{0};
  std::chrono::nanoseconds to{0};
  std::vector<std::string> threads;
  std::string function;
  std::string file;
  std::map<std::string, std::string> labels;
};
void add_filter_options(CLI::App& app, FilterOptions& options);
Result<v1::ViewFilter> make_filter(const FilterOptions& options);

// -s -t --group-by --no-lines: what samples are told apart by.
struct ShapeOptions {
  bool subprocesses = false;
  bool threads = false;
  std::vector<std::string> group_by;
  bool no_lines = false;
};
void add_shape_options(CLI::App& app, ShapeOptions& options);

// Sets what the options say in a v1::ViewRequest or v1::ExportRequest.
template <class Request>
void apply_shape(const ShapeOptions& options, Request& request) {
  request.mutable_tree()->set_no_lines(options.no_lines);
  if (options.subprocesses) request.add_group_by("process");
  if (options.threads) request.add_group_by("thread");
  for (const std::string& key : options.group_by) request.add_group_by(key);
}

void add_json(CLI::App& app, bool& json);
void add_quiet(CLI::App& app, bool& quiet);

}  // namespace pycroscope

#include "client/cli/options.h"

#include <fmt/format.h>

#include <limits>

#include "analysis/model/session_words.h"
#include "client/cli/parse.h"

namespace pycroscope {
namespace {

Result<int32_t> parse_pid(std::string_view text) {
  PYC_TRY(const int64_t pid, parse_integer(text, "a process id", 1, std::numeric_limits<int32_t>::max()));
  return static_cast<int32_t>(pid);
}

Result<uint64_t> parse_count(std::string_view text) {
  PYC_TRY(const int64_t count, parse_integer(text, "a number of events", 1, std::numeric_limits<int64_t>::max()));
  return static_cast<uint64_t>(count);
}

Result<v1::SampleMode> parse_mode(std::string_view text) {
  for (const v1::SampleMode mode : {v1::SAMPLE_MODE_CPU, v1::SAMPLE_MODE_WALL, v1::SAMPLE_MODE_GIL})
    if (text == mode_name(mode)) return mode;
  return fail(ErrorCode::kInvalid, fmt::format("'{}' is not a mode: use cpu, wall or gil", text));
}

Result<v1::OnFull> parse_on_full(std::string_view text) {
  if (text == "drop") return v1::ON_FULL_DROP;
  if (text == "block") return v1::ON_FULL_BLOCK;
  return fail(ErrorCode::kInvalid, fmt::format("'{}' is no way to go on: use drop or block", text));
}

void add_label(std::map<std::string, std::string>& labels, const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == 0 || equals == std::string::npos)
    throw CLI::ValidationError("--label", fmt::format("'{}' is not a label: give it as KEY=VALUE", text));
  if (!labels.emplace(text.substr(0, equals), text.substr(equals + 1)).second)
    throw CLI::ValidationError("--label",
                               fmt::format("'{}' is given twice: no sample has two values", text.substr(0, equals)));
}

}  // namespace

void add_service_options(CLI::App& app, ServiceOptions& options) {
  auto* socket =
      app.add_option("--socket", options.socket, "Use the service at this socket (or PYCROSCOPE_SOCKET) and no other")
          ->type_name("PATH");
  app.add_option("--store", options.store, "Use this store of sessions (or PYCROSCOPE_STORE), without a service")
      ->type_name("DIR")
      ->excludes(socket);
}

void add_pid(CLI::App& app, int32_t& pid) {
  add_value(app, "pid,-p,--pid", pid, parse_pid, "PID", "The process, as `pycroscoped ps` lists it");
}

Status require_pid(int32_t pid, std::string_view command) {
  if (pid > 0) return {};
  return fail(ErrorCode::kInvalid, fmt::format("{0} needs a process: give `pycroscoped {0} -p PID`; `pycroscoped ps` "
                                               "lists the Python processes",
                                               command));
}

void add_session(CLI::App& app, std::string& session) {
  app.add_option("session", session, "An id, the start of one, a name, `latest`, or a packed file (default: latest)")
      ->type_name("SESSION");
}

void add_record_options(CLI::App& app, RecordOptions& options) {
  add_value(app, "-d,--duration", options.duration, parse_duration, "TIME",
            "Stop after this time: 10s, 5m, 1h; a bare number is seconds (default: until Ctrl-C)");
  add_value(app, "-r,--rate", options.rate_hz, parse_rate, "HZ",
            "Samples per second and thread, 1 to 10000 (default: 100)");
  add_value(app, "--mode", options.mode, parse_mode, "MODE",
            "What is sampled: cpu, the time on a CPU (default); wall, the waiting too; gil, whoever holds the GIL");
  app.add_flag_callback("-g,--gil", [&options] { options.mode = v1::SAMPLE_MODE_GIL; }, "Short for --mode gil");
  app.add_option("--sampler", options.sampler,
                 "How: ebpf, in the kernel, exact, needs root or the service; reads, of memory, less exact, works for "
                 "your own processes (default: ebpf where it works)")
      ->type_name("NAME");
  app.add_option("--trace", options.trace,
                 "Record completely, by a probe in the process, what it does instead of sampling it: call and c-call, "
                 "calls and returns of Python's and of C functions; line; instruction; gc; import; exception; all of "
                 "these")
      ->type_name("LIST")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--include", options.include,
                 "Trace only functions in files that match, as '*/myapp/*'; may be repeated")
      ->type_name("GLOB")
      ->allow_extra_args(false);
  app.add_option("--exclude", options.exclude, "Trace no functions in files that match; may be repeated")
      ->type_name("GLOB")
      ->allow_extra_args(false);
  add_value(app, "--max-hits", options.max_hits, parse_count, "N",
            "Trace a line or an instruction so often, then no more: what runs often becomes nearly free");
  add_value(app, "--on-full", options.on_full, parse_on_full, "HOW",
            "What a traced thread does when we do not keep up: drop and count what it does (attach), or block (run)");
  add_value(app, "--max-cpu", options.max_cpu_percent, parse_percent, "PERCENT",
            "What taking samples may use of a core, beyond which the rate is lowered (default: 5%)");
  add_value(app, "--max-memory", options.max_memory_bytes, parse_size, "SIZE",
            "The same for memory; when no rate is low enough the recording ends (default: 200MB)");
}

void add_keeping_options(CLI::App& app, RecordOptions& options) {
  app.add_option("--name", options.name, "A name for the session")->type_name("NAME");
  add_value(app, "--ring", options.ring, parse_duration, "TIME",
            "Keep only the last so much of it, as 5m: a flight recorder");
  add_value(app, "--max-size", options.max_bytes, parse_size, "SIZE",
            "When the session is larger than this, as 1GB, its oldest samples and raw events go");
  add_value(app, "--max-events", options.max_events, parse_count, "N",
            "When it has more samples and raw events than this, the oldest go");
  add_value(app, "--keep-raw", options.keep_raw, parse_duration, "TIME",
            "Keep raw events for so long, as 10m. What those of a trace add up to stays in every view");
  app.add_option("--share", options.share, "A group of yours whose members may see the session")->type_name("GROUP");
}

void add_filter_options(CLI::App& app, FilterOptions& options) {
  add_value(app, "--from", options.from, parse_time, "TIME", "Leave out what came before, counted from the start");
  add_value(app, "--to", options.to, parse_duration, "TIME", "Leave out what came after, counted from the start");
  app.add_option("--thread", options.threads, "Only this thread, by id or name; may be repeated")
      ->type_name("THREAD")
      ->allow_extra_args(false);
  app.add_option("--function", options.function, "Only functions whose qualified name matches")->type_name("REGEX");
  app.add_option("--file", options.file, "Only functions in files that match, as '*/myapp/*'")->type_name("GLOB");
  app.add_option_function<std::vector<std::string>>(
         "--label",
         [&options](const std::vector<std::string>& labels) {
           for (const std::string& label : labels) add_label(options.labels, label);
         },
         "Only samples with this label, as task=fetch or process=1234; several must all be there")
      ->type_name("K=V")
      ->allow_extra_args(false);
}

Result<v1::ViewFilter> make_filter(const FilterOptions& options) {
  if (options.to.count() > 0 && options.from >= options.to) {
    return fail(ErrorCode::kInvalid, "--from has to be before --to");
  }
  v1::ViewFilter filter;
  filter.set_from_ns(options.from.count());
  filter.set_to_ns(options.to.count());
  for (const std::string& thread : options.threads) filter.add_threads(thread);
  filter.set_function_regex(options.function);
  filter.set_file_glob(options.file);
  filter.mutable_labels()->insert(options.labels.begin(), options.labels.end());
  return filter;
}

void add_shape_options(CLI::App& app, ShapeOptions& options) {
  app.add_flag("-s,--subprocesses", options.subprocesses,
               "Tell processes apart: short for --group-by process. A recording takes in those that its target starts");
  app.add_flag("-t,--threads", options.threads, "Tell threads apart: short for --group-by thread");
  app.add_option("--group-by", options.group_by,
                 "Tell apart by these, the outermost first: process, thread, task or another label's key. They "
                 "become the first frames of each stack, and columns of a table. none: do not even tell the processes "
                 "of a tree apart")
      ->type_name("KEY[,KEY]")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_flag("--no-lines", options.no_lines, "Take each function as a whole, whatever line it is at");
}

void add_json(CLI::App& app, bool& json) { app.add_flag("--json", json, "Print JSON instead of a table"); }

void add_quiet(CLI::App& app, bool& quiet) { app.add_flag("-q,--quiet", quiet, "Say nothing but errors"); }

}  // namespace pycroscope

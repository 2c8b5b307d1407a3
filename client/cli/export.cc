#include "client/cli/command_line.h"
#include "client/cli/exporting.h"
#include "client/cli/options.h"
#include "client/cli/session_source.h"
#include "client/cli/signals.h"
#include "client/cli/terminal.h"

namespace pycroscope {
namespace {

struct ExportOptions {
  ServiceOptions service;
  std::string session, format, weight;
  std::string output = "-";
  FilterOptions filter;
  ShapeOptions shape;
  bool quiet = false;
};

Result<int> run_export(const ExportOptions& options) {
  PYC_TRY(std::string format, choose_format(options.format, options.output));
  PYC_CHECK(check_weight(options.weight));
  PYC_TRY(v1::ViewFilter filter, make_filter(options.filter));
  const SignalWatch watch([] {});
  PYC_TRY(const SessionSource source, SessionSource::open(options.service, options.session));
  v1::ExportRequest request;
  request.set_session(source.session);
  request.set_format(std::move(format));
  request.set_weight(options.weight);
  *request.mutable_filter() = std::move(filter);
  apply_shape(options.shape, request);
  const Status exported =
      export_to(source.connection, request, options.output, [&watch] { return watch.received() != 0; });
  if (watch.received() != 0) return 128 + watch.received();
  PYC_CHECK(exported);
  if (!options.quiet && options.output != "-") hint("wrote " + options.output + " (" + request.format() + ")\n");
  return 0;
}

}  // namespace

void add_export(CommandLine& line) {
  auto [command, options] =
      add_command(line, line.app, "export",
                  "Write a session in the format of another tool\n\n"
                  "The file is there whole or not at all. Without -f its extension decides: .svg, .html, "
                  ".speedscope.json, .trace.json, .gecko.json, .json, .pb.gz, else collapsed stacks.",
                  run_export);
  command->group("Look at recordings");
  add_session(*command, options->session);
  command->add_option("-f,--format", options->format, "One of: " + format_list())->type_name("FORMAT");
  command->add_option("-o,--output", options->output, "Where to, - is the standard output (default)")
      ->type_name("FILE");
  command->add_option("-w,--weight", options->weight, "What counts: samples, time or cpu-time (default: samples)")
      ->type_name("WEIGHT");
  add_shape_options(*command, options->shape);
  add_filter_options(*command, options->filter);
  add_quiet(*command, options->quiet);
  add_service_options(*command, options->service);
  command->footer(R"(Examples:
  pycroscoped export -f svg -o flame.svg                     a flame graph of the latest session, for a browser
  pycroscoped export -f html -o report.html                  the same with a table of functions, in one page
  pycroscoped export -s -t --group-by task -o app.svg        by process, thread and asyncio task
  pycroscoped export web -f speedscope -o web.speedscope.json   for https://www.speedscope.app
  pycroscoped export web -f chrometrace -o web.trace.json       for https://ui.perfetto.dev
  pycroscoped export web -f gecko -o web.gecko.json             for https://profiler.firefox.com
  pycroscoped export -f collapsed --weight cpu-time | sort -k2 -nr | head
  pycroscoped export old.pycroscope -f pprof -o old.pb.gz    a packed session of a colleague)");
}

}  // namespace pycroscope

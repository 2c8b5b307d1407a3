#include <set>

#include "client/cli/command_line.h"
#include "client/cli/connection.h"
#include "client/cli/json_object.h"
#include "client/cli/options.h"
#include "client/cli/table.h"
#include "client/cli/terminal.h"
#include "client/cli/text.h"

namespace pycroscope {
namespace {

struct PsOptions {
  ServiceOptions service;
  bool json = false;
};

std::string command_of(const v1::PythonProcess& process) {
  std::string result;
  for (const std::string& argument : process.command()) result += (result.empty() ? "" : " ") + argument;
  return result;
}

std::string process_json(const v1::PythonProcess& process) {
  JsonObject row;
  row.number("pid", process.pid())
      .number("parent_pid", process.parent_pid())
      .number("uid", process.uid())
      .text("user", process.user())
      .text_or_null("python", process.python())
      .text("command", command_of(process))
      .number("threads", process.threads())
      .number("cpu_ns", process.cpu_ns())
      .number("rss_bytes", process.rss_bytes())
      .text_or_null("recording", process.recording())
      .text_or_null("refused", process.refused());
  return row.str();
}

Result<int> run_ps(const PsOptions& options) {
  PYC_TRY(const Connection connection, Connection::open(options.service));
  PYC_TRY(const v1::ListProcessesResponse answer,
          connection.call(&Connection::Api::ListProcesses, v1::ListProcessesRequest()));
  if (options.json) return print_result(json_rows(answer.processes(), process_json));
  if (answer.processes().empty()) {
    hint("no Python process that this user may see is running\n");
    return 0;
  }
  Table table({{"PID", Align::kRight},
               {"USER"},
               {"PYTHON"},
               {"THREADS", Align::kRight},
               {"CPU TIME", Align::kRight},
               {"MEMORY", Align::kRight},
               {"RECORDING"},
               {"COMMAND", Align::kLeft, Shrink::kEnd}});
  std::set<std::string> refusals, cautions;
  for (const v1::PythonProcess& process : answer.processes()) {
    if (!process.refused().empty()) refusals.insert(process.refused());
    cautions.insert(process.caution());
    table.add({std::to_string(process.pid()), process.user(), process.python(), std::to_string(process.threads()),
               human_duration(process.cpu_ns()), human_bytes(process.rss_bytes()),
               process.recording().empty() ? "-" : process.recording(), command_of(process)});
  }
  PYC_CHECK(print(table.text(terminal_width())));
  for (const std::string& refusal : refusals) hint("not all of these can be recorded: " + visible(refusal) + "\n");
  for (const std::string& sentence : cautions) caution(sentence);
  return 0;
}

}  // namespace

void add_ps(CommandLine& line) {
  auto [command, options] = add_command(line, line.app, "ps", "List the Python processes of this machine", run_ps);
  command->group("Look at running programs");
  add_json(*command, options->json);
  add_service_options(*command, options->service);
  command->footer(R"(Examples:
  pycroscoped ps
  pycroscoped ps --json | jq '.rows[] | select(.threads > 10) | .pid')");
}

}  // namespace pycroscope

#include <fmt/format.h>

#include "client/cli/command_line.h"
#include "client/cli/connection.h"
#include "client/cli/json_object.h"
#include "client/cli/options.h"
#include "client/cli/terminal.h"
#include "client/cli/text.h"

namespace pycroscope {
namespace {

struct DumpCommandOptions {
  ServiceOptions service;
  int32_t pid = 0;
  std::string core;
  std::string executable;
  bool locals = false;
  bool json = false;
};

std::string frame_json(const v1::FrameDump& frame) {
  JsonObject object, locals;
  for (const v1::Local& local : frame.locals()) locals.text(local.name(), local.text());
  object.text("function", frame.function())
      .text_or_null("file", frame.file())
      .raw("line", frame.line() == 0 ? "null" : std::to_string(frame.line()))
      .raw("locals", locals.str());
  return object.str();
}

std::string thread_json(const v1::ThreadDump& thread) {
  JsonObject object;
  object.number("tid", thread.tid())
      .text("name", thread.name())
      .text("state", thread.state())
      .boolean("holds_gil", thread.holds_gil())
      .number("interpreter", thread.interpreter())
      .raw("frames", json_array(thread.frames(), frame_json))
      .boolean("truncated", thread.truncated());
  return object.str();
}

std::string dump_json(const v1::DumpResponse& dump) {
  JsonObject object;
  object.number("pid", dump.pid())
      .text("python", dump.python())
      .raw("stopped_ns", dump.stopped_ns() == 0 ? "null" : std::to_string(dump.stopped_ns()))
      .raw("threads", json_array(dump.threads(), thread_json));
  return object.str() + "\n";
}

std::string state_text(const v1::ThreadDump& thread) {
  if (thread.holds_gil())
    return thread.state() == "running" ? "running, holds the GIL" : thread.state() + ", holds the GIL";
  return thread.state() == "gil" ? "waiting for the GIL" : thread.state();
}

std::string thread_text(const v1::ThreadDump& thread) {
  std::string result =
      bold(fmt::format("Thread {} \"{}\" ({})", thread.tid(), visible(thread.name()), state_text(thread)));
  if (thread.interpreter() > 0) result += fmt::format(" in interpreter {}", thread.interpreter());
  result += '\n';
  for (const v1::FrameDump& frame : thread.frames()) {
    result += fmt::format("    {} ({}", visible(frame.function()), visible(frame.file()));
    result += frame.line() == 0 ? ")\n" : fmt::format(":{})\n", frame.line());
    for (const v1::Local& local : frame.locals()) {
      result += fmt::format("        {} = {}\n", visible(local.name()), visible(local.text()));
    }
  }
  if (thread.frames().empty()) result += "    (no Python code)\n";
  if (thread.truncated()) result += "    (older frames are left out)\n";
  return result;
}

std::string title(const DumpCommandOptions& options, const v1::DumpResponse& dump) {
  if (!options.core.empty()) {
    return fmt::format("Process {} in {}, CPython {}\n", dump.pid(), visible(options.core), dump.python());
  }
  return fmt::format("Process {}, CPython {}, stopped for {}\n", dump.pid(), dump.python(),
                     human_duration(dump.stopped_ns()));
}

// A core file is read in this process: it takes no rights but the file's, and a service may not even see the file.
Result<Connection> connect(const DumpCommandOptions& options) {
  return options.core.empty() ? Connection::open(options.service) : Connection::open_without_service(options.service);
}

Result<int> run_dump(const DumpCommandOptions& options) {
  if (options.core.empty()) PYC_CHECK(require_pid(options.pid, "dump"));
  PYC_TRY(const Connection connection, connect(options));
  v1::DumpRequest request;
  request.set_pid(options.pid);
  request.set_core(options.core);
  request.set_executable(options.executable);
  request.set_locals(options.locals);
  PYC_TRY(const v1::DumpResponse dump, connection.call(&Connection::Api::Dump, request));
  caution(dump.caution());
  for (const std::string& problem : dump.problems()) hint("warning: " + visible(problem) + "\n");
  if (options.json) return print_result(dump_json(dump));
  std::string text = title(options, dump);
  for (const v1::ThreadDump& thread : dump.threads()) text += "\n" + thread_text(thread);
  return print_result(text);
}

}  // namespace

void add_dump(CommandLine& line) {
  auto [command, options] =
      add_command(line, line.app, "dump",
                  "Show what each thread of a process is doing right now\n\n"
                  "The stacks are exact: the process stands still while they are read, for a few "
                  "milliseconds, and goes on as if nothing had happened. Innermost call first. With "
                  "--core, what the threads of a process that is no more were doing.",
                  run_dump);
  command->group("Look at running programs");
  add_pid(*command, options->pid);
  CLI::Option* core =
      command->add_option("-c,--core", options->core, "Read this core file instead of a process")->type_name("FILE");
  core->excludes("--pid");
  command
      ->add_option("--executable", options->executable,
                   "The program that the core file is of, where it is not at its place on this machine")
      ->type_name("PATH")
      ->needs(core);
  command->add_flag("-l,--locals", options->locals, "The values of local variables as well");
  add_json(*command, options->json);
  add_service_options(*command, options->service);
  core->excludes("--socket");
  command->footer(R"(Examples:
  pycroscoped dump 1234
  pycroscoped dump -p 1234 --locals
  pycroscoped dump --core core.1234
  pycroscoped dump -p 1234 --json | jq '.threads[] | select(.holds_gil) | .frames[0]')");
}

}  // namespace pycroscope

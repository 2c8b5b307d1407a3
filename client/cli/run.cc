#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "client/cli/child.h"
#include "client/cli/command_line.h"
#include "client/cli/exporting.h"
#include "client/cli/options.h"
#include "client/cli/output_file.h"
#include "client/cli/recording.h"
#include "client/cli/terminal.h"
#include "client/cli/text.h"
#include "client/cli/viewing.h"

namespace pycroscope {
namespace {

// As env(1), nohup(1) and timeout(1) have them.
constexpr int kOwnFailure = 125, kCannotExecute = 126, kNotFound = 127;

struct RunOptions {
  ServiceOptions service;
  RecordOptions record;
  ShapeOptions shape;
  OutputOptions output;
  std::vector<std::string> command;
  bool quiet = false;
};

// What becomes of the recording once it is over; the child's own output is not disturbed before.
Status show(const RunOptions& options, const Connection& connection, const v1::Session& session,
            const std::string& format) {
  PYC_CHECK(check_ended_well(session));
  if (!options.output.path.empty()) {
    const v1::ExportRequest request = whole_export(session, format, options.shape);
    PYC_CHECK(export_to(connection, request, options.output.path, [] { return false; }));
  }
  if (options.quiet) return {};
  PYC_TRY(const std::string text, short_report(connection, session));
  hint(text);
  return {};
}

int start_failure(const RunOptions& options, int error) {
  complain(fmt::format("cannot run {}: {}", options.command.front(), std::strerror(error)));
  return error == ENOENT ? kNotFound : kCannotExecute;
}

// Records the child from before its program begins. The child's exit code, or that of a failure to start it.
Result<int> record(const RunOptions& options, const std::string& format, Child& child) {
  RecordingClient recording;
  PYC_TRY(const Connection connection, Connection::open(options.service));
  v1::AttachRequest request = make_attach_request(options.record);
  request.set_pid(child.pid());
  request.set_before_exec(true);
  if (!options.record.trace.empty() && options.record.on_full == v1::ON_FULL_UNSPECIFIED)
    request.mutable_config()->set_on_full(v1::ON_FULL_BLOCK);
  request.mutable_config()->set_subprocesses(options.shape.subprocesses);
  child.watch([&recording] { recording.interrupt(); });
  int error = 0;
  const auto on_update = [&](const v1::RecordingUpdate& update) {
    if (update.live()) error = child.release();
  };
  const auto outcome = recording.run(connection, request, on_update);
  if (!outcome) return std::unexpected(outcome.error());
  const int code = child.wait();
  if (error != 0) return start_failure(options, error);
  if (outcome->never_live) return fail(ErrorCode::kFailed, "interrupted before the command began");
  PYC_CHECK(show(options, connection, outcome->session, format));
  return code;
}

Result<int> run_command(const RunOptions& options) {
  if (options.command.empty())
    return fail(ErrorCode::kInvalid, "run needs a command: `pycroscoped run [OPTIONS] -- COMMAND...`");
  PYC_TRY(const std::string format, choose_format(options.output.format, options.output.path));
  if (!options.output.path.empty()) PYC_CHECK(OutputFile::check(options.output.path));
  auto child = Child::start(options.command);
  const auto code = child ? record(options, format, **child) : std::unexpected(std::move(child).error());
  if (code) return *code;
  complain(code.error().message);
  return kOwnFailure;
}

}  // namespace

void add_run(CommandLine& line) {
  auto [command, options] = add_command(line, line.app, "run",
                                        "Run a command and record it from its first bytecode\n\n"
                                        "The command has our terminal, signals and descriptors, and its exit code "
                                        "becomes ours. Programs that it executes "
                                        "in its own place are recorded, and with -s those that it starts, too.",
                                        run_command);
  command->group("Look at running programs");
  add_record_options(*command, options->record);
  add_keeping_options(*command, options->record);
  add_output_options(*command, options->output);
  add_shape_options(*command, options->shape);
  add_config(line, *command, true);
  add_quiet(*command, options->quiet);
  add_service_options(*command, options->service);
  command->add_option("command", options->command, "The command and its arguments, after --")->type_name("CMD...");
  command->footer(R"(Examples:
  sudo pycroscoped run -- python3 -m pytest tests
  sudo pycroscoped run -s --mode wall -o flame.svg -- ./manage.py test

Exit codes: the command's own, 128+N after signal N; 127 no such command, 126 it cannot be executed, 125 failure of
Pycroscope itself, 2 usage.)");
}

}  // namespace pycroscope

#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>

#include "client/cli/command_line.h"
#include "client/cli/exporting.h"
#include "client/cli/options.h"
#include "client/cli/output_file.h"
#include "client/cli/progress.h"
#include "client/cli/ready.h"
#include "client/cli/recording.h"
#include "client/cli/session_text.h"
#include "client/cli/signals.h"
#include "client/cli/terminal.h"
#include "client/cli/text.h"
#include "client/cli/viewing.h"

namespace pycroscope {
namespace {

struct AttachOptions {
  ServiceOptions service;
  RecordOptions record;
  ShapeOptions shape;
  OutputOptions output;
  std::optional<int> ready_fd;
  bool quiet = false;
};

// " --store DIR" where the next command would otherwise look elsewhere.
std::string service_arguments(const ServiceOptions& options) {
  if (!options.socket.empty()) return " --socket " + options.socket;
  return options.store.empty() ? "" : " --store " + options.store;
}

void suggest_next(const AttachOptions& options, const v1::Session& session) {
  const std::string service = service_arguments(options.service);
  hint(
      fmt::format("\nNext:\n"
                  "  pycroscoped report {0}{1} --view tree\n"
                  "  pycroscoped report {0}{1} --view lines\n"
                  "  pycroscoped export {0}{1} -f svg -o flame.svg\n",
                  session.id(), service));
}

Status export_recording(const AttachOptions& options, const Connection& connection, const v1::Session& session,
                        const std::string& format, const std::function<bool()>& cancelled) {
  const v1::ExportRequest request = whole_export(session, format, options.shape);
  const Status exported = export_to(connection, request, options.output.path, cancelled);
  if (exported) return {};
  return fail(exported.error().code,
              fmt::format("{}; the session is kept: `pycroscoped export {}{} -f {} -o FILE` exports it again",
                          exported.error().message, session.id(), service_arguments(options.service), format));
}

// With -o: exports the session and says so.
Result<int> export_and_tell(const AttachOptions& options, const Connection& connection, const v1::Session& session,
                            const std::string& format, const SignalWatch& watch) {
  // The signal that ended the recording is not meant for the export.
  const bool ended_by_signal = watch.received() != 0;
  const auto cancelled = [&] { return !ended_by_signal && watch.received() != 0; };
  PYC_CHECK(export_recording(options, connection, session, format, cancelled));
  if (options.quiet) return 0;
  const std::string where =
      options.output.path == "-" ? "" : fmt::format("wrote {} ({}); ", options.output.path, format);
  hint(fmt::format("{}session {}: {}\n", where, session.id(), human_loss(session.loss(), recorded_unit(session))));
  return 0;
}

Result<int> report_and_suggest(const AttachOptions& options, const Connection& connection, const v1::Session& session) {
  if (options.quiet) return 0;
  PYC_TRY(const std::string text, short_report(connection, session));
  PYC_CHECK(print(text));
  if (session.events() > 0) suggest_next(options, session);
  return 0;
}

void announce(const AttachOptions& options, const v1::Session& session) {
  if (options.record.sampler.empty() && session.config().sampler() == "reads") {
    hint(
        "sampling by reading memory from outside, because eBPF cannot be used (`pycroscoped doctor` says why): less "
        "exact; run it as root or through the service for eBPF\n");
  }
  hint(fmt::format("ready {}\n", session.id()));
}

void take_snapshot(RecordingClient& recording) {
  const Result<v1::Session> session = recording.snapshot();
  if (session) return hint(fmt::format("snapshot {}\n", session->id()));
  hint("warning: no snapshot: " + visible(session.error().message) + "\n");
}

Result<int> run_attach(const AttachOptions& options) {
  PYC_CHECK(require_pid(options.record.pid, "attach"));
  PYC_CHECK(check_ready_fd(options.ready_fd));
  PYC_TRY(const std::string format, choose_format(options.output.format, options.output.path));
  if (!options.output.path.empty()) PYC_CHECK(OutputFile::check(options.output.path));

  RecordingClient recording;
  const SignalWatch watch([&recording] { recording.interrupt(); }, [&recording] { take_snapshot(recording); });
  PYC_TRY(const Connection connection, Connection::open(options.service));
  v1::AttachRequest request = make_attach_request(options.record);
  request.mutable_config()->set_subprocesses(options.shape.subprocesses);
  std::optional<Progress> progress;
  if (!options.quiet && stderr_is_terminal()) {
    progress.emplace(options.record.duration);
    request.set_progress_top(true);
  }
  const auto on_update = [&](const v1::RecordingUpdate& update) {
    if (update.live()) {
      announce_ready(options.ready_fd, update.session().id());
      caution(update.session().target().interpreter().caution());
      if (!options.quiet) announce(options, update.session());
    }
    if (progress && !update.finished()) progress->show(update);
  };
  const Result<RecordingClient::Outcome> outcome = recording.run(connection, request, on_update);
  progress.reset();
  if (!outcome) return std::unexpected(outcome.error());
  if (outcome->never_live) {
    complain("interrupted before the recording began; nothing was kept");
    return 128 + watch.received();
  }
  const v1::Session& session = outcome->session;
  PYC_CHECK(check_ended_well(session));
  return options.output.path.empty() ? report_and_suggest(options, connection, session)
                                     : export_and_tell(options, connection, session, format, watch);
}

}  // namespace

void add_attach(CommandLine& line) {
  auto [command, options] =
      add_command(line, line.app, "attach",
                  "Record a running Python process\n\n"
                  "Samples what each thread executes, from outside: nothing is written to the process "
                  "and it is never stopped. Records until Ctrl-C, SIGTERM, --duration or the end of the "
                  "process, keeps a session, and prints where the time went; with -o the session is "
                  "exported instead. A second Ctrl-C quits at once. SIGUSR1 keeps what there is so far as a session of "
                  "its own; the recording goes on.",
                  run_attach);
  command->group("Look at running programs");
  add_pid(*command, options->record.pid);
  add_record_options(*command, options->record);
  add_keeping_options(*command, options->record);
  add_output_options(*command, options->output);
  add_shape_options(*command, options->shape);
  add_ready_fd(*command, options->ready_fd);
  add_config(line, *command, true);
  add_quiet(*command, options->quiet);
  add_service_options(*command, options->service);
  command->footer(R"(Examples:
  sudo pycroscoped attach 1234                        until Ctrl-C
  sudo pycroscoped attach -p 1234 -d 30s -r 1000      for 30 seconds, 1000 samples per second of CPU time
  sudo pycroscoped attach -p 1234 -d 10 -o flame.svg  straight to a flame graph

Exit codes: 0 recorded, 1 failure, 2 usage, 3 the process was gone, 4 not permitted, 5 no service at --socket.)");
}

}  // namespace pycroscope

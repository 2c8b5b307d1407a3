#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "analysis/model/session_words.h"
#include "client/cli/command_line.h"
#include "client/cli/connection.h"
#include "client/cli/json_object.h"
#include "client/cli/options.h"
#include "client/cli/output_file.h"
#include "client/cli/parse.h"
#include "client/cli/session_source.h"
#include "client/cli/session_text.h"
#include "client/cli/signals.h"
#include "client/cli/table.h"
#include "client/cli/terminal.h"
#include "client/cli/text.h"
#include "daemon/os/user_names.h"

namespace pycroscope {
namespace {

constexpr char kPackedExtension[] = ".pycroscope";

struct SessionsOptions {
  ServiceOptions service;
  std::string session;
  std::vector<std::string> sessions;
  std::optional<uint32_t> keep;
  std::optional<uint64_t> max_bytes;
  std::string file;
  std::string group;
  std::string name;
  bool unshare = false;
  bool json = false;
  bool quiet = false;
};

Result<uint32_t> parse_keep(std::string_view text) {
  PYC_TRY(const int64_t keep, parse_integer(text, "a number of sessions", 0, 1'000'000'000));
  return static_cast<uint32_t>(keep);
}

bool is_somebody_elses(const v1::Session& session) { return session.owner_uid() != ::geteuid(); }

std::string list_text(const v1::ListSessionsResponse& answer) {
  const bool others = std::ranges::any_of(answer.sessions(), &is_somebody_elses);
  std::vector<TableColumn> columns{{"ID"},
                                   {"NAME", Align::kLeft, Shrink::kEnd},
                                   {"STATE"},
                                   {"STARTED"},
                                   {"DURATION", Align::kRight},
                                   {"SAMPLES", Align::kRight},
                                   {"LOST", Align::kRight},
                                   {"SIZE", Align::kRight},
                                   {"COMMAND", Align::kLeft, Shrink::kEnd}};
  if (others) columns.insert(columns.end() - 1, TableColumn{"OWNER"});
  Table table(std::move(columns));
  for (const v1::Session& session : answer.sessions()) {
    std::vector<std::string> cells{session.id(),
                                   session.name().empty() ? "-" : session.name(),
                                   std::string(state_name(session.state())),
                                   local_time(session.started_at()),
                                   human_duration(session.duration_ns()),
                                   human_count(session.samples()),
                                   human_count(session.loss().lost()),
                                   human_bytes(session.bytes()),
                                   joined_command(session.target())};
    if (others) cells.insert(cells.end() - 1, user_name(session.owner_uid()));
    table.add(std::move(cells));
  }
  return table.text(terminal_width());
}

Result<int> run_list(const SessionsOptions& options) {
  PYC_TRY(const Connection connection, Connection::open(options.service));
  PYC_TRY(const v1::ListSessionsResponse answer,
          connection.call(&Connection::Api::ListSessions, v1::ListSessionsRequest()));
  for (const std::string& problem : answer.problems()) hint("warning: " + visible(problem) + "\n");
  if (options.json) return print_result(json_rows(answer.sessions(), session_row_json));
  if (answer.sessions().empty()) {
    hint("no sessions yet; `pycroscoped attach -p PID` records one\n");
    return 0;
  }
  return print_result(list_text(answer));
}

Result<int> run_show(const SessionsOptions& options) {
  PYC_TRY(const SessionSource source, SessionSource::open(options.service, options.session));
  v1::GetSessionRequest request;
  request.set_session(source.session);
  PYC_TRY(const v1::Session session, source.connection.call(&Connection::Api::GetSession, request));
  return print_result(options.json ? session_json(session) : session_details(session));
}

void tell_deleted(const v1::DeleteSessionsResponse& answer, bool quiet) {
  if (quiet) return;
  for (const std::string& id : answer.deleted()) hint("deleted " + id + "\n");
  hint(answer.deleted().empty() ? "nothing to delete\n" : fmt::format("freed {}\n", human_bytes(answer.freed_bytes())));
}

Result<int> run_delete(const SessionsOptions& options) {
  PYC_TRY(const Connection connection, Connection::open(options.service));
  v1::DeleteSessionsRequest request;
  for (const std::string& session : options.sessions) request.add_sessions(session);
  PYC_TRY(const v1::DeleteSessionsResponse answer, connection.call(&Connection::Api::DeleteSessions, request));
  tell_deleted(answer, options.quiet);
  return 0;
}

Result<int> run_prune(const SessionsOptions& options) {
  if (!options.keep && !options.max_bytes) {
    return fail(ErrorCode::kInvalid, "say what may stay: --keep N, --max-size SIZE, or both");
  }
  PYC_TRY(const Connection connection, Connection::open(options.service));
  v1::PruneSessionsRequest request;
  if (options.keep) request.set_keep(*options.keep);
  if (options.max_bytes) request.set_max_bytes(*options.max_bytes);
  PYC_TRY(const v1::DeleteSessionsResponse answer, connection.call(&Connection::Api::PruneSessions, request));
  tell_deleted(answer, options.quiet);
  return 0;
}

Result<int> run_share(const SessionsOptions& options) {
  if (options.group.empty() == !options.unshare) {
    return fail(ErrorCode::kInvalid, "say with which group: --group GROUP, or --nobody to share it no more");
  }
  PYC_TRY(const Connection connection, Connection::open(options.service));
  v1::ShareSessionRequest request;
  request.set_session(options.session);
  request.set_group(options.group);
  PYC_TRY(const v1::Session session, connection.call(&Connection::Api::ShareSession, request));
  if (options.quiet) return 0;
  hint(options.unshare ? fmt::format("only you see {} now\n", session.id())
                       : fmt::format("the members of group {} see {} now\n", session.shared_with(), session.id()));
  return 0;
}

Result<int> run_snapshot(const SessionsOptions& options) {
  PYC_TRY(const Connection connection, Connection::open(options.service));
  v1::SnapshotSessionRequest request;
  request.set_session(options.session);
  request.set_name(options.name);
  PYC_TRY(const v1::Session session, connection.call(&Connection::Api::SnapshotSession, request));
  if (!options.quiet) hint(fmt::format("`pycroscoped report {}` shows it\n", session.id()));
  return print_result(session.id() + "\n");
}

Result<int> run_pack(const SessionsOptions& options) {
  const SignalWatch watch([] {});
  PYC_TRY(const Connection connection, Connection::open(options.service));
  v1::GetSessionRequest which;
  which.set_session(options.session.empty() ? "latest" : options.session);
  PYC_TRY(const v1::Session session, connection.call(&Connection::Api::GetSession, which));
  const std::string path = options.file.empty() ? session.id() + kPackedExtension : options.file;
  PYC_TRY(OutputFile file, OutputFile::create(path));
  v1::PackSessionRequest request;
  request.set_session(session.id());
  const Status packed =
      receive_chunks(connection, &Connection::Api::PackSession, request, [&](std::string_view data) -> Status {
        if (watch.received() != 0) return fail(ErrorCode::kFailed, "interrupted");
        return file.write(data);
      });
  if (watch.received() != 0) return 128 + watch.received();
  PYC_CHECK(packed);
  PYC_CHECK(file.commit());
  if (!options.quiet && path != "-") hint(fmt::format("packed {} into {}\n", session.id(), path));
  return 0;
}

Result<int> run_unpack(const SessionsOptions& options) {
  PYC_TRY(const Connection connection, Connection::open(options.service));
  PYC_TRY(const v1::Session session, unpack_file(connection, options.file));
  if (!options.quiet) hint(fmt::format("unpacked {}; `pycroscoped report {}` shows it\n", options.file, session.id()));
  return print_result(session.id() + "\n");
}

class SessionsCommand {
 public:
  SessionsCommand(CommandLine& line, CLI::App& parent) : line_(line), parent_(parent) {}

  Command<SessionsOptions> add(const char* name, const char* description, Result<int> (*run)(const SessionsOptions&)) {
    const Command<SessionsOptions> command = add_command(line_, parent_, name, description, run);
    add_service_options(*command.app, command.options->service);
    return command;
  }

 private:
  CommandLine& line_;
  CLI::App& parent_;
};

void add_reading(SessionsCommand& sessions) {
  const auto list = sessions.add("list", "List the sessions of the store, newest first", run_list);
  add_json(*list.app, list.options->json);

  const auto show = sessions.add("show", "Everything that is known of a session", run_show);
  add_session(*show.app, show.options->session);
  add_json(*show.app, show.options->json);
}

void add_deleting(SessionsCommand& sessions) {
  const auto remove = sessions.add("delete", "Delete sessions", run_delete);
  remove.app->add_option("sessions", remove.options->sessions, "Ids, the starts of ids, or names")
      ->type_name("SESSION")
      ->required();
  add_quiet(*remove.app, remove.options->quiet);

  const auto prune = sessions.add("prune",
                                  "Delete the oldest sessions\n\n"
                                  "Keeps the newest --keep of them, then deletes the oldest until the rest fits in "
                                  "--max-size. A session that is being recorded stays.",
                                  run_prune);
  add_value(*prune.app, "--keep", prune.options->keep, parse_keep, "N", "Keep the newest N");
  add_value(*prune.app, "--max-size", prune.options->max_bytes, parse_size, "SIZE",
            "Keep at most this much: 500MB, 5GB, 2GiB");
  add_quiet(*prune.app, prune.options->quiet);
  prune.app->footer("Example:\n  pycroscoped sessions prune --keep 20 --max-size 5GB");
}

void add_packing(SessionsCommand& sessions) {
  const auto pack = sessions.add("pack",
                                 "Make one file of a session\n\n"
                                 "The file holds everything, sources included; `report`, `export` and `sessions show` "
                                 "read it as it is.",
                                 run_pack);
  add_session(*pack.app, pack.options->session);
  pack.app->add_option("-o,--output", pack.options->file, "Where to (default: ID.pycroscope)")->type_name("FILE");
  add_quiet(*pack.app, pack.options->quiet);

  const auto unpack = sessions.add("unpack", "Put a packed session into the store and print its id", run_unpack);
  unpack.app->add_option("file", unpack.options->file, "What `sessions pack` made")->type_name("FILE")->required();
  add_quiet(*unpack.app, unpack.options->quiet);
}

void add_keeping(SessionsCommand& sessions) {
  const auto share = sessions.add("share", "Let the members of a group see a session, or nobody any more", run_share);
  add_session(*share.app, share.options->session);
  auto* group = share.app->add_option("--group", share.options->group, "A group of yours")->type_name("GROUP");
  share.app->add_flag("--nobody", share.options->unshare, "Share it no more")->excludes(group);
  add_quiet(*share.app, share.options->quiet);

  const auto snapshot = sessions.add("snapshot",
                                     "Keep what a session holds now as a session of its own, and print its id\n\n"
                                     "Of a recording with --ring these are its last minutes. The recording goes on.",
                                     run_snapshot);
  add_session(*snapshot.app, snapshot.options->session);
  snapshot.app->add_option("--name", snapshot.options->name, "A name for the new session")->type_name("NAME");
  add_quiet(*snapshot.app, snapshot.options->quiet);
}

}  // namespace

void add_sessions(CommandLine& line) {
  CLI::App* command = line.app.add_subcommand("sessions", "List, show, share, delete, pack and unpack recordings");
  command->group("Look at recordings");
  command->require_subcommand(1);
  SessionsCommand sessions(line, *command);
  add_reading(sessions);
  add_deleting(sessions);
  add_packing(sessions);
  add_keeping(sessions);
  command->footer(R"(Examples:
  pycroscoped sessions list
  pycroscoped sessions show latest
  pycroscoped sessions delete 7k2f web
  pycroscoped sessions prune --keep 20 --max-size 5GB
  pycroscoped sessions share latest --group developers
  pycroscoped sessions snapshot web
  pycroscoped sessions pack latest -o slow-checkout.pycroscope)");
}

}  // namespace pycroscope

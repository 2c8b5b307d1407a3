#include <fmt/format.h>
#include <fmt/ranges.h>

#include "analysis/passes/pass.h"
#include "analysis/passes/rows.h"
#include "analysis/passes/view_json.h"
#include "client/cli/command_line.h"
#include "client/cli/options.h"
#include "client/cli/parse.h"
#include "client/cli/session_source.h"
#include "client/cli/session_text.h"
#include "client/cli/suggest.h"
#include "client/cli/terminal.h"
#include "client/cli/text.h"
#include "client/cli/view_text.h"
#include "client/cli/viewing.h"

namespace pycroscope {
namespace {

constexpr uint32_t kTerminalRows = 50;

struct ReportOptions {
  ServiceOptions service;
  std::string session, sort;
  v1::ViewKind view = v1::VIEW_KIND_FUNCTIONS;
  std::optional<uint32_t> limit;
  FilterOptions filter;
  ShapeOptions shape;
  bool json = false;
  bool exact = false;
};

Result<v1::ViewKind> parse_view(std::string_view name) {
  const Result<v1::ViewKind> kind = parse_view_kind(name);
  if (kind) return kind;
  return fail(ErrorCode::kInvalid, unknown_name("view", name, view_names()));
}

Result<uint32_t> parse_limit(std::string_view text) {
  PYC_TRY(const int64_t limit, parse_integer(text, "a number of rows", 0, 1'000'000'000));
  return static_cast<uint32_t>(limit);
}

Result<v1::ViewRequest> make_request(const ReportOptions& options, const std::string& session) {
  v1::ViewRequest request;
  request.set_session(session);
  request.set_kind(options.view);
  PYC_TRY(*request.mutable_filter(), make_filter(options.filter));
  apply_shape(options.shape, request);
  request.set_refine(options.exact);
  const uint32_t limit = options.limit.value_or(options.json || !stdout_is_terminal() ? 0 : kTerminalRows);
  if (options.view == v1::VIEW_KIND_TREE) {
    request.mutable_tree()->set_max_nodes(limit);
  } else {
    request.set_limit(limit);
  }
  if (!options.sort.empty()) {
    PYC_TRY(const Column* column, find_column(options.view, options.sort));
    request.set_sort(std::string(column->key));
  }
  return request;
}

std::string rows_left_out(const v1::View& view) {
  const uint64_t shown = static_cast<uint64_t>(row_count(view)), all = view.header().total_rows();
  return shown >= all ? "" : fmt::format("{} of {} rows; --limit 0 shows all\n", human_count(shown), human_count(all));
}

Result<int> print_table(const v1::View& view, const v1::Session& session) {
  PYC_CHECK(print(session_line(session) + "\n\n"));
  const std::string text = view_text(view, stdout_is_terminal() ? terminal_width() : 0);
  PYC_CHECK(print(text.empty() ? why_empty(session) + "\n" : text));
  if (!text.empty()) PYC_CHECK(print("\n" + human_loss(view.header().loss(), recorded_unit(session)) + "\n"));
  hint(rows_left_out(view));
  if (!view.header().exact()) {
    hint(fmt::format("from totals, not single events: covers {} to {}; --exact takes the very range, and its time\n",
                     human_duration(view.header().from_ns()), human_duration(view.header().to_ns())));
  }
  return 0;
}

Result<int> run_report(const ReportOptions& options) {
  PYC_TRY(v1::ViewRequest request, make_request(options, options.session));
  PYC_TRY(const SessionSource source, SessionSource::open(options.service, options.session));
  request.set_session(source.session);
  PYC_TRY(const v1::View view, source.connection.call(&Connection::Api::GetView, request));
  if (options.json) {
    PYC_CHECK(write_view_json(view, print));
    return 0;
  }
  v1::GetSessionRequest which;
  which.set_session(source.session);
  PYC_TRY(const v1::Session session, source.connection.call(&Connection::Api::GetSession, which));
  return print_table(view, session);
}

}  // namespace

void add_report(CommandLine& line) {
  auto [command, options] =
      add_command(line, line.app, "report",
                  "Show a view of a session as a table\n\n"
                  "SELF is time in the function or line itself, TOTAL includes what it called. Both are "
                  "estimates from samples.",
                  run_report);
  command->group("Look at recordings");
  add_session(*command, options->session);
  add_value(*command, "--view", options->view, parse_view, "VIEW",
            fmt::format("One of: {} (default: functions)", fmt::join(view_names(), ", ")));
  add_value(*command, "--limit", options->limit, parse_limit, "N",
            "Rows at most, 0 is all (default: 50 on a terminal, else all)");
  command->add_option("--sort", options->sort, "Largest first by this key, as --json names it")->type_name("KEY");
  add_filter_options(*command, options->filter);
  command->add_flag(
      "--exact", options->exact,
      "Cover exactly --from to --to, also where ten million traced events or more have to be read for it");
  add_shape_options(*command, options->shape);
  add_json(*command, options->json);
  add_service_options(*command, options->service);
  command->footer(R"(Examples:
  pycroscoped report                                  functions of the latest session
  pycroscoped report --view tree --limit 30           who calls what
  pycroscoped report web --view lines --file '*/myapp/*'
  pycroscoped report --view callers --function 'json\.loads'
  pycroscoped report --from 10 --to 20s --json | jq '.rows[0]'
  pycroscoped report slow.pycroscope                  a packed session of a colleague)");
}

}  // namespace pycroscope

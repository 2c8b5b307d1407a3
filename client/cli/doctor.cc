#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "client/cli/command_line.h"
#include "client/cli/connection.h"
#include "client/cli/json_object.h"
#include "client/cli/options.h"
#include "client/cli/terminal.h"
#include "client/cli/text.h"

namespace pycroscope {
namespace {

struct DoctorOptions {
  ServiceOptions service;
  int32_t pid = 0;
  bool json = false;
};

std::string_view outcome_name(v1::Check::Outcome outcome) {
  switch (outcome) {
    case v1::Check::OUTCOME_OK:
      return "ok";
    case v1::Check::OUTCOME_LIMITED:
      return "limited";
    default:
      return "failed";
  }
}

std::string mark(v1::Check::Outcome outcome) {
  const bool fancy = locale_is_utf8();
  switch (outcome) {
    case v1::Check::OUTCOME_OK:
      return fancy ? "✓" : "ok  ";
    case v1::Check::OUTCOME_LIMITED:
      return "!" + std::string(fancy ? "" : "   ");
    default:
      return fancy ? "✗" : "FAIL";
  }
}

std::string check_json(const v1::Check& check) {
  JsonObject object;
  object.text("name", check.name())
      .text("outcome", outcome_name(check.outcome()))
      .text("finding", check.finding())
      .text_or_null("remedy", check.remedy());
  return object.str();
}

std::string check_text(const v1::Check& check, size_t name_width, size_t width) {
  const std::string padded = check.name() + std::string(name_width - display_width(check.name()), ' ');
  const std::string start = fmt::format("{} {}  ", mark(check.outcome()), padded);
  const size_t indent = display_width(start);
  std::string result = start + wrap(visible(check.finding()), width, indent) + '\n';
  if (!check.remedy().empty()) {
    result += std::string(indent, ' ') + wrap("→ " + visible(check.remedy()), width, indent + 2) + '\n';
  }
  return result;
}

v1::Check service_check(const Connection& connection, const v1::GetVersionResponse& service) {
  const bool root = ::geteuid() == 0;
  v1::Check check;
  check.set_name("service");
  check.set_outcome(v1::Check::OUTCOME_OK);
  if (!connection.socket().empty()) {
    check.set_finding(fmt::format("a service answers at {} (pycroscoped {}, process {}, store {}): {}",
                                  connection.socket(), service.version(), service.pid(), service.store(),
                                  root ? "root may record all processes and sees all sessions"
                                       : "you may record your own processes and see your own sessions"));
  } else if (answers_at(kDefaultSocket)) {
    check.set_finding(fmt::format("a service answers at {}, but this command was told to use the store {} without it",
                                  kDefaultSocket, service.store()));
  } else {
    check.set_finding(fmt::format("no service answers at {}: commands do its work themselves", kDefaultSocket));
    if (!root) {
      check.set_outcome(v1::Check::OUTCOME_LIMITED);
      check.set_remedy("to let users without root record their own processes, run `sudo pycroscoped serve`");
    }
  }
  return check;
}

Result<v1::DiagnoseResponse> diagnose(const DoctorOptions& options) {
  PYC_TRY(const Connection connection, Connection::open(options.service));
  PYC_TRY(const v1::GetVersionResponse service, connection.call(&Connection::Api::GetVersion, v1::GetVersionRequest()));
  v1::DiagnoseRequest request;
  request.set_pid(options.pid);
  PYC_TRY(v1::DiagnoseResponse answer, connection.call(&Connection::Api::Diagnose, request));
  *answer.add_checks() = service_check(connection, service);
  return answer;
}

Result<int> run_doctor(const DoctorOptions& options) {
  PYC_TRY(const v1::DiagnoseResponse answer, diagnose(options));
  const auto is_failed = [](const v1::Check& check) { return check.outcome() == v1::Check::OUTCOME_FAILED; };
  const auto failed = std::count_if(answer.checks().begin(), answer.checks().end(), is_failed);
  const int code = failed == 0 ? 0 : 1;
  if (options.json) {
    PYC_CHECK(print(json_rows(answer.checks(), check_json)));
    return code;
  }
  size_t name_width = 0;
  for (const v1::Check& check : answer.checks()) name_width = std::max(name_width, display_width(check.name()));
  const size_t width = terminal_width() == 0 ? 100 : std::max<size_t>(terminal_width(), name_width + 30);
  std::string text;
  for (const v1::Check& check : answer.checks()) text += check_text(check, name_width, width);
  PYC_CHECK(print(text));
  if (failed > 0) hint(fmt::format("{} of {} checks failed\n", failed, answer.checks_size()));
  return code;
}

}  // namespace

void add_doctor(CommandLine& line) {
  auto [command, options] =
      add_command(line, line.app, "doctor",
                  "Say what works here, and how to fix what does not\n\n"
                  "With a process: whether that one can be recorded, too. Exits with 1 when something "
                  "that recording needs is missing.",
                  run_doctor);
  command->group("Service and setup");
  add_pid(*command, options->pid);
  add_json(*command, options->json);
  add_service_options(*command, options->service);
  command->footer(R"(Examples:
  pycroscoped doctor
  sudo pycroscoped doctor -p 1234)");
}

}  // namespace pycroscope

#include "client/cli/command_line.h"

#include <fmt/format.h>
#include <signal.h>

#include <clocale>
#include <string_view>
#include <vector>

#include "client/cli/help.h"
#include "client/cli/suggest.h"
#include "client/cli/terminal.h"
#include "client/cli/text.h"
#include "daemon/serve/status.h"

namespace pycroscope {
namespace {

constexpr int kUsage = 2;

constexpr char kFooter[] = R"(First steps:
  pycroscoped doctor                 what works on this machine
  pycroscoped ps                     which Python processes there are
  sudo pycroscoped attach -p PID     record one until Ctrl-C, then show where its time went
  pycroscoped report --view tree     look at the last recording again

`pycroscoped COMMAND --help` explains a command and gives examples.)";

const CLI::App& chosen_command(const CLI::App& app) {
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  return *command;
}

std::vector<std::string> names_of_commands(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

std::vector<std::string> names_of_options(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

// A word that is neither an option nor an argument of `command`.
std::string unexpected_word(const CLI::App& command, const std::string& word) {
  const bool is_option = word.size() > 1 && word[0] == '-';
  const std::vector<std::string> names = is_option ? names_of_options(command) : names_of_commands(command);
  if (names.empty()) return fmt::format("'{}' is one argument too many", word);
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  const std::string_view guess = closest(word.substr(0, word.find('=')), candidates);
  const std::string_view what = is_option ? "option" : "command";
  if (is_option && guess.empty()) return fmt::format("there is no option '{}'", word);
  return unknown_name(what, word, guess.empty() ? std::span(candidates) : std::span(&guess, 1));
}

std::string explain(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& command = chosen_command(app);
  std::string sentence = error.what();
  if (const std::vector<std::string> extras = app.remaining(true); !extras.empty()) {
    sentence = unexpected_word(command, extras.front());
  } else if (!names_of_commands(command).empty()) {
    sentence = "a command is missing";
  }
  return fmt::format("{} (see `{} --help`)", sentence, full_name(command));
}

}  // namespace

CommandLine::CommandLine() {
  app.name("pycroscoped");
  app.formatter(std::make_shared<HelpFormatter>());
  app.option_defaults()->always_capture_default(false);
  app.set_help_flag("-h,--help", "Explain this command");
  app.set_version_flag("--version", "pycroscoped " PYC_VERSION, "Print the version");
  app.require_subcommand(1);
  app.footer(kFooter);
  for (const auto add : {add_attach, add_run, add_top, add_dump, add_ps, add_sessions, add_report, add_export,
                         add_serve, add_doctor, add_completion}) {
    add(*this);
  }
}

int run_command_line(int argc, char** argv) {
  std::setlocale(LC_CTYPE, "");
  ::signal(SIGPIPE, SIG_IGN);  // a reader that goes away must not end a recording; see print()
  CommandLine line;
  try {
    line.app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    line.action = [&line] { return print_result(chosen_command(line.app).help()); };
  } catch (const CLI::CallForVersion& version) {
    line.action = [text = std::string(version.what())] { return print_result(text + "\n"); };
  } catch (const CLI::ParseError& error) {
    complain(explain(line.app, error));
    return kUsage;
  }
  const Result<int> result = line.action();
  if (result) return *result;
  complain(result.error().message);
  return exit_code(result.error().code);
}

}  // namespace pycroscope

#include "client/cli/command_line.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <clocale>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "client/cli/config_file.h"
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

// Complains of an error.
int exit_code_of(const Result<int>& result) {
  if (result) return *result;
  complain(result.error().message);
  return exit_code(result.error().code);
}

// The exit code when nothing is left to do. `file`: what options come from, for the sentence.
std::optional<int> parse(CommandLine& line, const std::vector<std::string>& arguments, const std::string& file) {
  try {
    line.app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    return exit_code_of(print_result(chosen_command(line.app).help()));
  } catch (const CLI::CallForVersion& version) {
    return exit_code_of(print_result(std::string(version.what()) + "\n"));
  } catch (const CLI::ParseError& error) {
    complain((file.empty() ? "" : visible(file) + ": ") + explain(line.app, error));
    return kUsage;
  }
}

std::optional<std::filesystem::path> config_file_of(const CommandLine& line) {
  if (!line.config_file.empty()) return line.config_file;
  const bool finds = std::ranges::find(line.finds_config, &chosen_command(line.app)) != line.finds_config.end();
  std::error_code error;
  const std::filesystem::path here = std::filesystem::current_path(error);
  return finds && !error ? find_config_file(here) : std::nullopt;
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

void add_config(CommandLine& line, CLI::App& app, bool finds) {
  app.add_option(
         "--config", line.config_file,
         finds ? "Options from this file (default: pycroscope.yaml, or [tool.pycroscope] in pyproject.toml, found "
                 "from here upwards); what is given here wins"
               : "Options from this file, as lines `OPTION: VALUE`; what is given here wins")
      ->type_name("FILE");
  if (finds) line.finds_config.push_back(&app);
}

int run_command_line(int argc, char** argv) {
  std::setlocale(LC_CTYPE, "");
  ::signal(SIGPIPE, SIG_IGN);  // a reader that goes away must not end a recording; see print()
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  auto line = std::make_unique<CommandLine>();
  if (const auto code = parse(*line, arguments, "")) return *code;
  const auto file = config_file_of(*line);
  if (file) {
    const CLI::App& command = chosen_command(line->app);
    const auto added = arguments_of_file(*file, command);
    if (!added) {
      complain(added.error().message);
      return kUsage;
    }
    // What stands in the file is parsed as if it had been typed behind the command's name.
    std::vector<std::string> all = arguments;
    const auto name = std::ranges::find(all, command.get_name());
    all.insert(name == all.end() ? name : name + 1, added->begin(), added->end());
    line = std::make_unique<CommandLine>();
    if (const auto code = parse(*line, all, file->string())) return *code;
  }
  return exit_code_of(line->action());
}

}  // namespace pycroscope

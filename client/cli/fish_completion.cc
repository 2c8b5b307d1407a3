#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "client/cli/completion.h"
#include "client/cli/completion_model.h"

namespace pycroscope {
namespace {

std::string in_quotes(std::string_view text) {
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') result += '\\';
    result += c;
  }
  return result + "'";
}

// True when exactly this command was typed, none of its subcommands.
std::string condition(const CompletedCommand& command) {
  if (command.path.empty()) return "__fish_use_subcommand";
  std::string result;
  std::string_view rest = command.path;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(' '), rest.size());
    result += (result.empty() ? "" : "; and ") + fmt::format("__fish_seen_subcommand_from {}", rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (!command.commands.empty()) {
    result += fmt::format("; and not __fish_seen_subcommand_from {}", fmt::join(command.commands, " "));
  }
  return result;
}

// How the value of `kind` is given to complete: what it suggests, and whether files are suggested as well.
std::string value_arguments(std::string_view kind) {
  for (const CompletedValue& value : completed_values()) {
    if (value.kind != kind) continue;
    switch (value.source) {
      case CompletedValue::Source::kWords:
        return "-x -a " + in_quotes(value.text);
      case CompletedValue::Source::kShell:
        return "-x -a " + in_quotes(fmt::format("(sh -c {})", in_quotes(value.text)));
      case CompletedValue::Source::kFiles:
        return "-r -F";
      case CompletedValue::Source::kFolders:
        return "-x -a '(__fish_complete_directories)'";
    }
  }
  return "-x";
}

std::string option_line(const CompletedCommand& command, const CompletedOption& option) {
  std::string result = "complete -c pycroscoped -n " + in_quotes(condition(command));
  for (const std::string& name : option.names) {
    result += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  if (!option.value.empty()) result += " " + value_arguments(option.value);
  return result + " -d " + in_quotes(option.description) + "\n";
}

}  // namespace

std::string fish_completion(const CLI::App& app) {
  const std::vector<CompletedCommand> all = completed_commands(app);
  std::string result =
      "# fish completion of pycroscoped: pycroscoped completion fish | source\ncomplete -c pycroscoped -f\n";
  for (const CompletedCommand& command : all) {
    for (const CompletedOption& option : command.options) result += option_line(command, option);
    if (!command.argument.empty()) {
      result += fmt::format("complete -c pycroscoped -n {} {}\n", in_quotes(condition(command)),
                            value_arguments(command.argument));
    }
    const std::string prefix = command.path.empty() ? "" : command.path + " ";
    for (const CompletedCommand& other : all) {
      for (const std::string& name : command.commands) {
        if (other.path != prefix + name) continue;
        result += fmt::format("complete -c pycroscoped -n {} -a {} -d {}\n", in_quotes(condition(command)), name,
                              in_quotes(other.summary));
      }
    }
  }
  return result;
}

}  // namespace pycroscope

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "client/cli/completion.h"
#include "client/cli/completion_model.h"

namespace pycroscope {
namespace {

// `name:text` as _describe takes it, in single quotes.
std::string described(std::string_view name, std::string_view text) {
  std::string result = "'" + std::string(name) + ":";
  for (const char c : text) {
    if (c == '\'') {
      result += "'\\''";
    } else if (c == ':') {
      result += "\\:";
    } else {
      result += c;
    }
  }
  return result + "'";
}

std::string value_case(const CompletedValue& value) {
  switch (value.source) {
    case CompletedValue::Source::kWords:
      return fmt::format("    {}) compadd -- {} ;;\n", value.kind, value.text);
    case CompletedValue::Source::kShell: {
      const char* files = value.kind == "SESSION" ? "; _files -g '*.pycroscope'" : "";
      return fmt::format("    {}) compadd -- ${{(f)\"$({})\"}}{} ;;\n", value.kind, value.text, files);
    }
    case CompletedValue::Source::kFiles:
      return fmt::format("    {}) _files ;;\n", value.kind);
    case CompletedValue::Source::kFolders:
      return fmt::format("    {}) _files -/ ;;\n", value.kind);
  }
  return "";
}

// The case of one command: which option takes what, which options there are, and what its argument is.
std::string command_case(const CompletedCommand& command, const std::vector<CompletedCommand>& all) {
  std::string values, options, commands;
  for (const CompletedOption& option : command.options) {
    if (!option.value.empty())
      values += fmt::format("        {}) kind={} ;;\n", fmt::join(option.names, "|"), option.value);
    for (const std::string& name : option.names) options += " " + described(name, option.description);
  }
  const std::string prefix = command.path.empty() ? "" : command.path + " ";
  for (const CompletedCommand& other : all) {
    for (const std::string& name : command.commands) {
      if (other.path == prefix + name) commands += " " + described(name, other.summary);
    }
  }
  return fmt::format(
      "    '{}')\n      case $previous in\n{}      esac\n      options=({})\n      commands=({})\n"
      "      argument={} ;;\n",
      command.path, values, options, commands, command.argument);
}

constexpr char kStart[] = R"ZSH(
_pycroscoped() {
  local command= kind= argument= previous=${words[CURRENT-1]} word
  local -a options commands
  for word in ${words[2,CURRENT-1]}; do
    [[ -n ${(M)_pycroscoped_commands:#${command:+$command }$word} ]] && command=${command:+$command }$word
  done
  case $command in
)ZSH";

constexpr char kEnd[] = R"ZSH(  esac
  if [[ -n $kind ]]; then
    _pycroscoped_value $kind
  elif [[ ${words[CURRENT]} == -* ]]; then
    _describe option options
  elif (( $#commands )); then
    _describe command commands
  else
    _pycroscoped_value $argument
  fi
}
compdef _pycroscoped pycroscoped
)ZSH";

}  // namespace

std::string zsh_completion(const CLI::App& app) {
  const std::vector<CompletedCommand> all = completed_commands(app);
  std::string paths, cases, values;
  for (const CompletedCommand& command : all) {
    if (!command.path.empty()) paths += " '" + command.path + "'";
    cases += command_case(command, all);
  }
  for (const CompletedValue& value : completed_values()) values += value_case(value);
  return "#compdef pycroscoped\n# zsh completion of pycroscoped: source <(pycroscoped completion zsh), after compinit\n"
         "typeset -ga _pycroscoped_commands=(" +
         paths + " )\n_pycroscoped_value() {\n  case $1 in\n" + values + "  esac\n}\n" + kStart + cases + kEnd;
}

}  // namespace pycroscope

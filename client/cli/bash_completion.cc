#include <fmt/format.h>
#include <fmt/ranges.h>

#include "client/cli/completion.h"
#include "client/cli/completion_model.h"

namespace pycroscope {
namespace {

constexpr char kProgram[] = R"BASH(
_pycroscoped() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command= kind= i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case " $_pycroscoped_commands " in
      *" ${command:+$command/}${COMP_WORDS[i]} "*) command=${command:+$command/}${COMP_WORDS[i]} ;;
    esac
  done
  if [[ $current == '=' ]]; then
    current=
  elif [[ $previous == '=' ]]; then
    previous=${COMP_WORDS[COMP_CWORD-2]}
  fi
  kind=$(_pycroscoped_option "$command" "$previous")
  if [[ -z $kind && $current == -* ]]; then
    COMPREPLY=($(compgen -W "$(_pycroscoped_options "$command")" -- "$current"))
  else
    _pycroscoped_value "${kind:-$(_pycroscoped_argument "$command")}" "$current"
  fi
}
complete -F _pycroscoped pycroscoped
)BASH";

// "sessions list" as one word.
std::string word(std::string path) {
  for (char& c : path) c = c == ' ' ? '/' : c;
  return path;
}

// A function that prints what the cases say for its first arguments.
std::string function(std::string_view name, std::string_view subject, std::string_view cases) {
  return fmt::format("{}() {{\n  case {} in\n{}  esac\n}}\n", name, subject, cases);
}

std::string option_cases(const CompletedCommand& command) {
  std::string result;
  for (const CompletedOption& option : command.options) {
    if (option.value.empty()) continue;
    for (const std::string& name : option.names)
      result += fmt::format("    {}:{}) echo {} ;;\n", word(command.path), name, option.value);
  }
  return result;
}

std::string options_case(const CompletedCommand& command) {
  std::vector<std::string> names;
  for (const CompletedOption& option : command.options)
    names.insert(names.end(), option.names.begin(), option.names.end());
  return fmt::format("    '{}') echo {} ;;\n", word(command.path), fmt::join(names, " "));
}

std::string value_case(const CompletedValue& value) {
  switch (value.source) {
    case CompletedValue::Source::kWords:
      return fmt::format("    {}) COMPREPLY=($(compgen -W '{}' -- \"$2\")) ;;\n", value.kind, value.text);
    case CompletedValue::Source::kShell: {
      const char* files = value.kind == "SESSION" ? " $(compgen -f -X '!*.pycroscope' -- \"$2\")" : "";
      return fmt::format("    {}) COMPREPLY=($(compgen -W \"$({})\" -- \"$2\"){}) ;;\n", value.kind, value.text, files);
    }
    case CompletedValue::Source::kFiles:
      return fmt::format("    {}) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$2\")) ;;\n",
                         value.kind);
    case CompletedValue::Source::kFolders:
      return fmt::format("    {}) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- \"$2\")) ;;\n",
                         value.kind);
  }
  return "";
}

}  // namespace

std::string bash_completion(const CLI::App& app) {
  std::string commands, option, options, argument, value;
  for (const CompletedCommand& command : completed_commands(app)) {
    if (!command.path.empty()) commands += (commands.empty() ? "" : " ") + word(command.path);
    option += option_cases(command);
    options += options_case(command);
    if (!command.argument.empty())
      argument += fmt::format("    {}) echo {} ;;\n", word(command.path), command.argument);
    if (command.commands.empty()) continue;
    argument += fmt::format("    '{}') echo commands:{} ;;\n", word(command.path), word(command.path));
    value += fmt::format("    'commands:{}') COMPREPLY=($(compgen -W '{}' -- \"$2\")) ;;\n", word(command.path),
                         fmt::join(command.commands, " "));
  }
  for (const CompletedValue& known : completed_values()) value += value_case(known);
  return "# bash completion of pycroscoped: source <(pycroscoped completion bash)\n"
         "_pycroscoped_commands='" +
         commands + "'\n" + function("_pycroscoped_option", "\"$1:$2\"", option) +
         function("_pycroscoped_options", "\"$1\"", options) + function("_pycroscoped_argument", "\"$1\"", argument) +
         function("_pycroscoped_value", "\"$1\"", value) + kProgram;
}

}  // namespace pycroscope

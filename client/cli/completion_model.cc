#include "client/cli/completion_model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "analysis/export/export.h"
#include "client/cli/help.h"
#include "client/cli/viewing.h"

namespace pycroscope {
namespace {

CompletedOption completed_option(const CLI::Option& option) {
  CompletedOption result;
  for (const std::string& name : option.get_snames()) result.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) result.names.push_back("--" + name);
  if (option.get_items_expected_max() > 0) result.value = option.get_type_name();
  result.description = option.get_description();
  return result;
}

void visit(const CLI::App& app, const std::string& path, std::vector<CompletedCommand>& result) {
  CompletedCommand command;
  command.path = path;
  command.summary = summary(app);
  const std::vector<const CLI::App*> children = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* child : children) command.commands.push_back(child->get_name());
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) command.argument = option->get_type_name();
    if (option->nonpositional()) command.options.push_back(completed_option(*option));
  }
  result.push_back(std::move(command));
  for (const CLI::App* child : children) {
    visit(*child, path.empty() ? child->get_name() : path + " " + child->get_name(), result);
  }
}

}  // namespace

std::vector<CompletedCommand> completed_commands(const CLI::App& app) {
  std::vector<CompletedCommand> result;
  visit(app, "", result);
  return result;
}

std::vector<CompletedValue> completed_values() {
  using Source = CompletedValue::Source;
  return {
      {"FORMAT", Source::kWords, fmt::format("{}", fmt::join(export_formats(), " "))},
      {"VIEW", Source::kWords, fmt::format("{}", fmt::join(view_names(), " "))},
      {"WEIGHT", Source::kWords, "samples time cpu-time"},
      {"MODE", Source::kWords, "cpu"},
      {"SHELL", Source::kWords, "bash zsh fish"},
      {"PID", Source::kShell, "pycroscoped ps 2>/dev/null | awk 'NR > 1 {print $1}'"},
      {"SESSION", Source::kShell, "{ echo latest; pycroscoped sessions list 2>/dev/null | awk 'NR > 1 {print $1}'; }"},
      {"FILE", Source::kFiles, ""},
      {"PATH", Source::kFiles, ""},
      {"DIR", Source::kFolders, ""},
  };
}

}  // namespace pycroscope

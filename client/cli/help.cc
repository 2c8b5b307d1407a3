#include "client/cli/help.h"

#include <algorithm>
#include <vector>

#include "client/cli/terminal.h"
#include "client/cli/text.h"

namespace pycroscope {
namespace {

constexpr size_t kWidest = 100;

struct Entry {
  std::string title, text;
};

std::string section(const std::string& title, const std::vector<Entry>& entries, size_t width) {
  if (entries.empty()) return "";
  size_t column = 0;
  for (const Entry& entry : entries) column = std::max(column, display_width(entry.title) + 4);
  std::string result = "\n" + bold(title + ":") + "\n";
  for (const Entry& entry : entries) {
    std::string line = "  " + entry.title;
    line.append(column - display_width(line), ' ');
    result += line + wrap(entry.text, width, column) + '\n';
  }
  return result;
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

std::string usage(const CLI::App& app) {
  std::string result = full_name(app);
  if (!commands_of(app).empty()) return result + " COMMAND [OPTIONS]";
  result += " [OPTIONS]";
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) continue;
    const std::string name = option->get_type_name();
    result += option->get_required() ? " " + name : " [" + name + "]";
    if (option->get_items_expected_max() > 1) result += "...";
  }
  return result;
}

}  // namespace

std::string full_name(const CLI::App& app) {
  const CLI::App* parent = app.get_parent();
  return parent == nullptr ? app.get_name() : full_name(*parent) + " " + app.get_name();
}

std::string option_title(const CLI::Option& option) {
  std::string result;
  for (const std::string& name : option.get_snames()) result += (result.empty() ? "-" : ", -") + name;
  for (const std::string& name : option.get_lnames()) result += (result.empty() ? "    --" : ", --") + name;
  const std::string value = option.get_items_expected_max() == 0 ? "" : option.get_type_name();
  if (result.empty()) return value;
  return value.empty() ? result : result + " " + value;
}

std::string summary(const CLI::App& app) {
  const std::string text = app.get_description();
  return text.substr(0, text.find("\n\n"));
}

std::string HelpFormatter::make_help(const CLI::App* app, std::string, CLI::AppFormatMode) const {
  const size_t width = std::min(terminal_width() == 0 ? kWidest : terminal_width(), kWidest);
  std::string result = bold("Usage:") + " " + usage(*app) + "\n\n" + wrap(app->get_description(), width, 0) + '\n';
  std::vector<std::string> groups;
  for (const CLI::App* command : commands_of(*app)) {
    if (std::find(groups.begin(), groups.end(), command->get_group()) == groups.end())
      groups.push_back(command->get_group());
  }
  for (const std::string& group : groups) {
    std::vector<Entry> entries;
    for (const CLI::App* command : commands_of(*app)) {
      if (command->get_group() == group) entries.push_back({command->get_name(), summary(*command)});
    }
    result += section(group, entries, width);
  }
  std::vector<Entry> options;
  for (const CLI::Option* option : app->get_options())
    options.push_back({option_title(*option), option->get_description()});
  result += section("Options", options, width);
  if (!app->get_footer().empty()) result += "\n" + app->get_footer() + '\n';
  return result;
}

}  // namespace pycroscope

#include "client/cli/config_file.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string_view>

// Without exceptions a parse returns its error.
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "client/cli/suggest.h"
#include "client/cli/terminal.h"
#include "client/cli/text.h"

namespace pycroscope {
namespace {

constexpr char kYamlName[] = "pycroscope.yaml";
constexpr char kTomlName[] = "pyproject.toml";

// Values by key; several of a list.
using Settings = std::map<std::string, std::vector<std::string>>;

std::unexpected<Error> unreadable(const std::filesystem::path& file, std::string_view why) {
  return fail(ErrorCode::kInvalid, fmt::format("cannot use {}: {}", visible(file.string()), visible(std::string(why))));
}

Result<Settings> settings_of_yaml(const std::filesystem::path& file) {
  Settings settings;
  try {
    const YAML::Node root = YAML::LoadFile(file);
    if (root.IsNull()) return settings;
    if (!root.IsMap()) return unreadable(file, "it has to consist of lines `OPTION: VALUE`");
    for (const auto& entry : root) {
      std::vector<std::string>& values = settings[entry.first.as<std::string>()];
      if (entry.second.IsSequence()) {
        for (const YAML::Node& value : entry.second) values.push_back(value.as<std::string>());
      } else {
        values.push_back(entry.second.as<std::string>());
      }
    }
  } catch (const YAML::Exception& error) {
    return unreadable(file, error.what());
  }
  return settings;
}

std::optional<std::string> text_of(const toml::node& node) {
  if (auto text = node.value_exact<std::string>()) return text;
  if (const auto flag = node.value_exact<bool>()) return *flag ? "true" : "false";
  if (const auto whole = node.value_exact<int64_t>()) return fmt::format("{}", *whole);
  if (const auto number = node.value_exact<double>()) return fmt::format("{}", *number);
  return std::nullopt;
}

Result<Settings> settings_of_toml(const std::filesystem::path& file) {
  const toml::parse_result parsed = toml::parse_file(file.native());
  if (!parsed) return unreadable(file, parsed.error().description());
  const toml::table* ours = parsed.table().at_path("tool.pycroscope").as_table();
  Settings settings;
  if (ours == nullptr) return settings;
  for (const auto& [key, node] : *ours) {
    std::vector<std::string>& values = settings[std::string(key.str())];
    const auto take = [&](const toml::node& value) {
      const auto text = text_of(value);
      if (text) values.push_back(*text);
      return text.has_value();
    };
    bool understood = true;
    if (const toml::array* list = node.as_array()) {
      for (const toml::node& value : *list) understood &= take(value);
    } else {
      understood = take(node);
    }
    if (!understood) return unreadable(file, fmt::format("{} is neither a value nor a list of values", key.str()));
  }
  return settings;
}

bool is_toml(const std::filesystem::path& file) { return file.extension() == ".toml"; }

Result<Settings> settings_of(const std::filesystem::path& file) {
  return is_toml(file) ? settings_of_toml(file) : settings_of_yaml(file);
}

// Whoever writes such a file decides where a recording of ours goes.
bool is_trusted(const std::filesystem::path& file) {
  struct stat status;
  if (::stat(file.c_str(), &status) != 0) return false;
  const char* sudo_uid = std::getenv("SUDO_UID");
  return status.st_uid == 0 || status.st_uid == ::geteuid() ||
         (::geteuid() == 0 && sudo_uid != nullptr && std::to_string(status.st_uid) == sudo_uid);
}

const CLI::App& root_of(const CLI::App& app) { return app.get_parent() == nullptr ? app : root_of(*app.get_parent()); }

void add_names(const CLI::App& app, std::vector<std::string>& names) {
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back(name);
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) add_names(*command, names);
}

Status check_key(const std::filesystem::path& file, const std::string& key, const CLI::App& command) {
  std::vector<std::string> names;
  add_names(root_of(command), names);
  if (std::ranges::find(names, key) != names.end() && key != "config" && key != "help") return {};
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  const std::string_view guess = closest(key, candidates);
  return unreadable(
      file, fmt::format("there is no option {}{}", key, guess.empty() ? "" : fmt::format(": did you mean {}?", guess)));
}

bool is_settled(const CLI::Option& option) {
  return option.count() > 0 ||
         std::ranges::any_of(option.get_excludes(), [](const CLI::Option* other) { return other->count() > 0; });
}

}  // namespace

std::optional<std::filesystem::path> find_config_file(std::filesystem::path directory) {
  while (!directory.empty()) {
    for (const char* name : {kYamlName, kTomlName}) {
      std::filesystem::path file = directory / name;
      std::error_code ignored;
      if (!std::filesystem::is_regular_file(file, ignored)) continue;
      if (!is_trusted(file)) {
        hint(fmt::format("{} is not used: it belongs to somebody else\n", visible(file.string())));
        continue;
      }
      // A pyproject.toml that says nothing to us, or cannot be read, is not ours to judge.
      if (!is_toml(file) || !settings_of_toml(file).value_or(Settings()).empty()) return file;
    }
    if (directory == directory.root_path()) break;
    directory = directory.parent_path();
  }
  return std::nullopt;
}

Result<std::vector<std::string>> arguments_of_file(const std::filesystem::path& file, const CLI::App& command) {
  PYC_TRY(const Settings settings, settings_of(file));
  std::vector<std::string> arguments;
  for (const auto& [key, values] : settings) {
    PYC_CHECK(check_key(file, key, command));
    const CLI::Option* option = command.get_option_no_throw("--" + key);
    if (option == nullptr || is_settled(*option)) continue;
    const bool is_flag = option->get_items_expected_max() == 0;
    for (const std::string& value : values) {
      if (!is_flag) {
        arguments.push_back(fmt::format("--{}={}", key, value));
      } else if (value == "true") {
        arguments.push_back("--" + key);
      } else if (value != "false") {
        return unreadable(file, fmt::format("{} is true or false, not {}", key, value));
      }
    }
  }
  return arguments;
}

}  // namespace pycroscope

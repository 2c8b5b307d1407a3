#include "daemon/session/metadata.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "analysis/passes/json.h"

namespace pycroscope {
namespace {

bool value_is_kept(std::string_view name) {
  constexpr std::array<std::string_view, 3> kNames = {"VIRTUAL_ENV", "LANG", "CI"};
  return name.starts_with("PYTHON") || std::ranges::find(kNames, name) != kNames.end();
}

}  // namespace

void add_environment(const std::vector<std::string>& environment, v1::Target& target) {
  for (const std::string& entry : environment) {
    const size_t equals = entry.find('=');
    if (equals == std::string::npos || equals == 0) continue;
    const std::string name = valid_utf8(std::string_view(entry).substr(0, equals));
    if (value_is_kept(name)) {
      (*target.mutable_environment())[name] = valid_utf8(std::string_view(entry).substr(equals + 1));
    } else {
      target.add_environment_names(name);
    }
  }
  std::ranges::sort(*target.mutable_environment_names());
}

std::string command_text(const v1::Target& target) {
  std::string text;
  for (const std::string& argument : target.command()) {
    if (!text.empty()) text += ' ';
    text += argument;
  }
  return text;
}

Result<v1::Target> describe_target(const Process& process, const PythonRuntime* python) {
  v1::Target target;
  target.set_pid(process.pid());
  target.set_start_time_ticks(process.start_time_ticks());
  PYC_TRY(const ProcessIds ids, process.ids());
  target.set_uid(ids.uid[0]);
  target.set_gid(ids.gid[0]);
  if (const auto command = process.command()) {
    for (const std::string& argument : *command) target.add_command(valid_utf8(argument));
  }
  if (const auto directory = process.working_directory()) target.set_working_directory(valid_utf8(*directory));
  if (const auto environment = process.environment()) add_environment(*environment, target);

  if (!python) return target;
  v1::Interpreter& interpreter = *target.mutable_interpreter();
  interpreter.set_implementation("CPython");
  interpreter.set_version(python->version);
  interpreter.set_caution(python->caution);
  interpreter.set_runtime_module(valid_utf8(python->runtime_module));
  interpreter.set_free_threaded(python->layout.free_threaded != 0);
  if (const auto executable = process.executable()) interpreter.set_executable(valid_utf8(*executable));
  return target;
}

}  // namespace pycroscope

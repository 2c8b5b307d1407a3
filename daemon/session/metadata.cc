#include "daemon/session/metadata.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "analysis/passes/json.h"
#include "daemon/target/namespaces.h"

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

std::string container_of(std::string_view cgroup) {
  // Docker, containerd, CRI-O and Podman name their control groups after the container's id, with something around it.
  constexpr size_t kIdLength = 64;
  constexpr std::string_view kHex = "0123456789abcdef";
  for (size_t begin = 0; (begin = cgroup.find_first_of(kHex, begin)) < cgroup.size();) {
    const size_t end = std::min(cgroup.find_first_not_of(kHex, begin), cgroup.size());
    if (end - begin == kIdLength) return std::string(cgroup.substr(begin, kIdLength));
    begin = end;
  }
  // LXC and systemd-nspawn call theirs by the name that people gave them.
  constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kNamed = {
      {{"/lxc.payload.", ""}, {"/machine-", ".scope"}}};
  for (const auto& [before, after] : kNamed) {
    const size_t at = cgroup.find(before);
    if (at == std::string_view::npos) continue;
    const std::string_view rest = cgroup.substr(at + before.size());
    const std::string_view name = rest.substr(0, rest.find('/'));
    if (name.ends_with(after)) return std::string(name.substr(0, name.size() - after.size()));
  }
  return "";
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
  if (const auto pids = ids_in_namespaces(process.pid()); !pids.empty())
    target.set_namespace_pid(static_cast<int32_t>(pids.back()));
  if (const auto cgroup = process.cgroup()) {
    target.set_cgroup(valid_utf8(*cgroup));
    target.set_container_id(container_of(target.cgroup()));
  }
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

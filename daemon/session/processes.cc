#include "daemon/session/processes.h"

#include <fmt/format.h>

#include <optional>
#include <string_view>
#include <utility>

#include "analysis/passes/json.h"
#include "daemon/os/file.h"
#include "daemon/os/user_names.h"
#include "daemon/python/process_list.h"
#include "daemon/session/caller_pids.h"
#include "daemon/session/permission.h"
#include "daemon/target/proc_text.h"
#include "daemon/target/process_use.h"

namespace pycroscope {
namespace {

constexpr size_t kStatusLimit = 1 << 20;

template <class T>
T first_number(const std::string& status, std::string_view key) {
  const auto numbers = status_numbers(status, key);
  return numbers.empty() ? T{} : static_cast<T>(numbers[0]);
}

// Nothing: it has ended meanwhile.
std::optional<v1::PythonProcess> describe(const Caller& caller, const PythonProcess& python) {
  const pid_t pid = python.process.pid();
  const auto status = read_file(fmt::format("/proc/{}/status", pid), kStatusLimit);
  if (!status) return std::nullopt;

  v1::PythonProcess row;
  row.set_pid(pid);
  row.set_python(python.version.text);
  row.set_caution(python.version.caution);
  row.set_parent_pid(first_number<pid_t>(*status, "PPid"));
  row.set_uid(first_number<uid_t>(*status, "Uid"));
  row.set_user(valid_utf8(user_name(row.uid())));
  row.set_threads(first_number<uint32_t>(*status, "Threads"));
  row.set_cpu_ns(static_cast<int64_t>(process_cpu_ns(pid)));
  row.set_rss_bytes(resident_bytes(pid));
  if (const auto command = python.process.command()) {
    for (const std::string& argument : *command) row.add_command(valid_utf8(argument));
  }
  if (const Status allowed = check_attach(caller, python.process); !allowed) row.set_refused(allowed.error().message);
  return row;
}

}  // namespace

Result<v1::ListProcessesResponse> python_processes(const Caller& caller,
                                                   const std::unordered_map<pid_t, std::string>& recordings) {
  PYC_TRY(const std::vector<PythonProcess> processes, list_python_processes());
  v1::ListProcessesResponse response;
  for (const PythonProcess& python : processes) {
    std::optional<v1::PythonProcess> row = describe(caller, python);
    const auto pid = pid_for_caller(caller, python.process.pid());
    if (!row || !pid) continue;
    const auto recording = recordings.find(row->pid());
    if (recording != recordings.end()) row->set_recording(recording->second);
    row->set_pid(*pid);
    row->set_parent_pid(pid_for_caller(caller, row->parent_pid()).value_or(0));
    *response.add_processes() = *std::move(row);
  }
  return response;
}

}  // namespace pycroscope

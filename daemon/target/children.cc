#include "daemon/target/children.h"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>

#include "daemon/os/file.h"
#include "daemon/target/proc_text.h"

namespace pycroscope {
namespace {

constexpr size_t kMaxChildrenText = 1 << 20;

// Of all threads of the process: proc_pid_task_tid_children(5).
void add_children(pid_t pid, std::vector<pid_t>& children) {
  std::error_code error;
  for (std::filesystem::directory_iterator it(fmt::format("/proc/{}/task", pid), error), end; !error && it != end;
       it.increment(error)) {
    const auto text = read_file(it->path() / "children", kMaxChildrenText);
    if (!text) continue;
    for (const std::string& word : split_terminated(*text, ' '))
      if (const auto child = parse_number<pid_t>(word)) children.push_back(*child);
  }
}

}  // namespace

std::vector<pid_t> descendants(pid_t pid) {
  std::vector<pid_t> found;
  add_children(pid, found);
  for (size_t i = 0; i < found.size(); ++i) add_children(found[i], found);
  return found;
}

}  // namespace pycroscope

#include "daemon/target/children.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <system_error>

#include "daemon/os/file.h"
#include "daemon/target/proc_text.h"

namespace pycroscope {
namespace {

constexpr size_t kMaxChildrenText = 1 << 20;

}  // namespace

std::vector<pid_t> children(pid_t pid) {
  std::vector<pid_t> found;
  std::error_code error;
  for (std::filesystem::directory_iterator it(fmt::format("/proc/{}/task", pid), error), end; !error && it != end;
       it.increment(error)) {
    const auto text = read_file(it->path() / "children", kMaxChildrenText);
    if (!text) continue;
    for (const std::string& word : split_terminated(*text, ' '))
      if (const auto child = parse_number<pid_t>(word)) found.push_back(*child);
  }
  return found;
}

std::vector<pid_t> descendants(pid_t pid) {
  std::vector<pid_t> found = children(pid);
  for (size_t i = 0; i < found.size(); ++i) std::ranges::copy(children(found[i]), std::back_inserter(found));
  return found;
}

}  // namespace pycroscope

#include "daemon/python/process_list.h"

#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "daemon/os/file.h"
#include "daemon/target/live_memory.h"
#include "daemon/target/pids.h"
#include "daemon/target/proc_text.h"

namespace pycroscope {
namespace {

constexpr size_t kMapsLimit = 64 << 20;

class Search {
 public:
  std::optional<PythonProcess> look_at(pid_t pid) {
    const std::string folder = "/proc/" + std::to_string(pid);
    const auto executable = read_link(folder + "/exe");
    if (!executable) return std::nullopt;  // a kernel thread, or not for us
    if (is_called_python(*executable) || maps_python(folder)) return look_into(pid);
    // A program of another name may have CPython inside. One look is enough for all its processes.
    struct stat status{};
    if (::stat((folder + "/exe").c_str(), &status) != 0) return std::nullopt;
    const Program program(status.st_dev, status.st_ino);
    if (without_python_.contains(program)) return std::nullopt;
    auto process = look_into(pid);
    if (!process) without_python_.insert(program);
    return process;
  }

 private:
  using Program = std::pair<dev_t, ino_t>;

  static bool is_called_python(const std::string& path) {
    return path.find("python", path.rfind('/') + 1) != path.npos;
  }

  static bool maps_python(const std::string& folder) {
    const auto maps = read_file(folder + "/maps", kMapsLimit);
    return maps && maps->find("python") != maps->npos;
  }

  static std::optional<PythonProcess> look_into(pid_t pid) {
    auto process = Process::open(pid);
    if (!process) return std::nullopt;
    auto version = python_version(*process, LiveMemory(pid));
    if (!version) return std::nullopt;
    return PythonProcess{*std::move(process), *std::move(version)};
  }

  std::set<Program> without_python_;
};

}  // namespace

Result<std::vector<PythonProcess>> list_python_processes() {
  PYC_TRY(const auto pids, list_pids());
  Search search;
  std::vector<PythonProcess> processes;
  for (const pid_t pid : pids) {
    if (auto process = search.look_at(pid)) processes.push_back(*std::move(process));
  }
  return processes;
}

}  // namespace pycroscope

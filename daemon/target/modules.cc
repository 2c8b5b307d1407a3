#include "daemon/target/modules.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "daemon/os/file.h"

namespace pycroscope {
namespace {

auto file_identity(const MapEntry& entry) { return std::tuple(entry.device_major, entry.device_minor, entry.inode); }

bool is_same_file(const Fd& fd, const MapEntry& entry) {
  struct stat status{};
  return ::fstat(fd.get(), &status) == 0 && status.st_ino == entry.inode &&
         major(status.st_dev) == entry.device_major && minor(status.st_dev) == entry.device_minor;
}

}  // namespace

std::vector<Module> find_modules(const std::vector<MapEntry>& maps, const std::string& executable) {
  std::set<decltype(file_identity(maps[0]))> with_code;
  for (const MapEntry& entry : maps) {
    if (entry.is_file() && entry.executable) with_code.insert(file_identity(entry));
  }
  std::vector<Module> modules;
  for (const MapEntry& entry : maps) {
    if (entry.offset != 0 || !entry.readable || !with_code.contains(file_identity(entry))) continue;
    modules.push_back({entry, entry.path == executable});
  }
  std::ranges::stable_partition(modules, &Module::is_executable);
  return modules;
}

std::string LiveModules::target_name() const { return "process " + std::to_string(process_.pid()); }

Result<std::vector<Module>> LiveModules::list() const {
  PYC_TRY(const auto maps, read_maps(process_));
  PYC_TRY(const std::string executable, process_.executable());
  return find_modules(maps, executable);
}

Result<Fd> LiveModules::open(const Module& module) const {
  if (module.is_executable) return open_for_reading(fmt::format("/proc/{}/exe", process_.pid()));
  const MapEntry& map = module.header;
  if (auto file = open_for_reading(
          fmt::format("/proc/{}/map_files/{:x}-{:x}", process_.pid(), map.begin.address(), map.end.address()))) {
    return file;
  }
  PYC_TRY(Fd file, open_for_reading(process_.reach(map.path)));
  if (!is_same_file(file, map)) return fail(ErrorCode::kNotFound, map.path + " is no longer the file that is in use");
  return file;
}

}  // namespace pycroscope

#include "daemon/target/core_modules.h"

#include <algorithm>
#include <array>
#include <utility>

#include "daemon/os/file.h"
#include "daemon/target/build_id.h"
#include "daemon/target/page_cache.h"

namespace pycroscope {
namespace {

using Page = std::array<std::byte, PageCache::kPageSize>;

}  // namespace

Result<std::string> CoreModules::executable() const {
  std::string path = core_.executable();
  return path.empty() ? core_.notes().program : path;
}

Result<std::vector<Module>> CoreModules::list() const {
  std::vector<Module> modules = find_modules(core_.maps(), core_.executable());
  std::erase_if(modules, [&](const Module& module) { return core_.held_from(module.header.begin) == 0; });
  return modules;
}

Result<Fd> CoreModules::open(const Module& module) const {
  PYC_TRY(FileMemory file, open_file(module.header));
  return std::move(file).take();
}

Result<CoreModules::Place> CoreModules::place_of(RemoteAddress address) const {
  const auto& maps = core_.maps();
  const auto after = std::ranges::upper_bound(maps, address, {}, &MapEntry::begin);
  if (after == maps.begin() || std::prev(after)->end <= address)
    return fail(ErrorCode::kMemory, "no file is mapped there");
  const MapEntry& mapping = *std::prev(after);
  const std::lock_guard lock(mutex_);
  auto known = files_.find(mapping.path);
  if (known == files_.end()) known = files_.emplace(mapping.path, open_file(mapping)).first;
  if (!known->second) return fail(ErrorCode::kMemory, known->second.error().message);
  return Place{&*known->second, RemoteAddress(mapping.offset) + (address.address() - mapping.begin.address())};
}

std::vector<std::string> CoreModules::problems() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> problems;
  for (const auto& [path, file] : files_)
    if (!file) problems.push_back(file.error().message);
  return problems;
}

Result<FileMemory> CoreModules::open_file(const MapEntry& mapping) const {
  const bool is_own = !own_executable_.empty() && mapping.path == core_.executable();
  const std::string& path = is_own ? own_executable_ : mapping.path;
  auto opened = open_regular_file(path);
  if (!opened && opened.error().code == ErrorCode::kNotFound) return fail(ErrorCode::kNotFound, path + " is missing");
  if (!opened) return std::unexpected(std::move(opened).error());
  FileMemory file(*std::move(opened));
  PYC_CHECK(check_same(file, mapping, path));
  return file;
}

// By build id; where there is none, by the first page, which has the addresses of everything else.
Status CoreModules::check_same(const FileMemory& file, const MapEntry& mapping, const std::string& path) const {
  const auto& maps = core_.maps();
  const auto header = std::ranges::find_if(
      maps, [&](const MapEntry& entry) { return entry.inode == mapping.inode && entry.offset == 0; });
  if (header != maps.end()) {
    const std::string id = read_build_id(core_, header->begin);
    const auto mapped = core_.read<Page>(header->begin);
    const auto here = file.read<Page>(RemoteAddress());
    const bool same = id.empty() ? mapped && here && *mapped == *here : id == read_build_id(file, RemoteAddress());
    if (same) return {};
  }
  return fail(ErrorCode::kNotFound, path + " is not the build that the process ran");
}

}  // namespace pycroscope

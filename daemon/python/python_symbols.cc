#include "daemon/python/python_symbols.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "daemon/target/elf_file.h"
#include "daemon/target/elf_image.h"
#include "daemon/target/modules.h"

namespace pycroscope {
namespace {

constexpr std::string_view kRuntime = "_PyRuntime";
constexpr std::string_view kVersion = "Py_Version";
constexpr std::string_view kCodeType = "PyCode_Type";
// Py_RUNTIME's own section, v3.11.2 Python/pylifecycle.c.
constexpr std::string_view kRuntimeSection = ".PyRuntime";

// A module that cannot be understood is not the one we look for; a process that cannot be read at all is a failure.
bool concerns_process(const Error& error) {
  return error.code == ErrorCode::kTargetGone || error.code == ErrorCode::kNotPermitted;
}

bool is_called_python(const Module& module) {
  const std::string name = module.file_name();
  return name.starts_with("python") || name.starts_with("libpython");
}

// Looks symbols up in images as the dynamic linker does: the executable's definition wins over a shared object's (it
// has copies of data that it refers to directly).
class ImageSearch {
 public:
  explicit ImageSearch(const TargetMemory& memory) : memory_(memory) {}

  // Opens the module's image; false when it has none.
  Result<bool> load(const Module& module) {
    auto image = ElfImage::read(memory_, module.header.begin);
    if (!image && concerns_process(image.error())) return std::unexpected(std::move(image).error());
    if (!image) return false;
    current_ = *std::move(image);
    if (module.is_executable) executable_ = current_;
    return true;
  }

  Result<RemoteAddress> find(std::string_view name) const {
    for (const auto& image : {executable_, current_}) {
      if (!image) continue;
      auto address = image->find(name);
      if (!address && concerns_process(address.error())) return address;
      if (address && *address) return address;
    }
    return RemoteAddress();
  }

 private:
  const TargetMemory& memory_;
  std::optional<ElfImage> executable_, current_;
};

// True when `module` has what we look for.
Result<bool> search_image(ImageSearch& search, const Module& module, PythonSymbols& symbols) {
  PYC_TRY(const bool loaded, search.load(module));
  if (!loaded) return false;
  PYC_TRY(symbols.runtime, search.find(kRuntime));
  // Interpreters before 3.7 have no _PyRuntime; other modules have no reason to define PyCode_Type.
  if (!symbols.runtime && !is_called_python(module)) return false;
  PYC_TRY(symbols.code_type, search.find(kCodeType));
  PYC_TRY(symbols.version, search.find(kVersion));
  return symbols.is_python();
}

// Programs that are linked without exporting symbols have them in .symtab only, stripped ones not even there.
bool search_file(const TargetModules& modules, const TargetMemory& memory, const Module& module,
                 PythonSymbols& symbols) {
  const auto image = ElfImage::read(memory, module.header.begin);
  const auto file = modules.open(module);
  if (!image || !file) return false;
  const auto found = read_elf_file(
      *file, {std::string(kRuntime), std::string(kVersion), std::string(kCodeType), std::string(kRuntimeSection)});
  if (!found) return false;
  const auto address_in = [&](const auto& table, std::string_view name) {
    const auto entry = table.find(name);
    if (entry == table.end()) return RemoteAddress();
    const RemoteAddress address(image->bias() + entry->second);
    return image->contains(address) ? address : RemoteAddress();
  };
  symbols.runtime = address_in(found->symbols, kRuntime);
  if (!symbols.runtime) symbols.runtime = address_in(found->sections, kRuntimeSection);
  symbols.version = address_in(found->symbols, kVersion);
  symbols.code_type = address_in(found->symbols, kCodeType);
  return symbols.is_python();
}

}  // namespace

Result<PythonSymbols> find_python_symbols(const TargetModules& modules, const TargetMemory& memory) {
  PYC_TRY(const std::string executable, modules.executable());
  PYC_TRY(std::vector<Module> candidates, modules.list());
  // The executable stays first, then come the modules that are most likely: usually nothing else is looked at.
  std::ranges::stable_partition(candidates, [](const Module& m) { return m.is_executable || is_called_python(m); });

  PythonSymbols symbols;
  symbols.program = executable.substr(executable.rfind('/') + 1);
  const auto found_in = [&](const Module& module) {
    symbols.module = module.path();
    return symbols;
  };
  ImageSearch search(memory);
  for (const Module& module : candidates) {
    PYC_TRY(const bool found, search_image(search, module, symbols));
    if (found) return found_in(module);
  }
  for (const Module& module : candidates) {
    if (!module.is_executable && !is_called_python(module)) continue;
    if (search_file(modules, memory, module, symbols)) return found_in(module);
  }
  return symbols;
}

}  // namespace pycroscope

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>

#include "daemon/target/core_memory.h"
#include "daemon/target/elf_image.h"

// Core files with lying headers and notes. The files that they name as mapped are looked for on this machine.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pycroscope;
  const Fd file(::memfd_create("core", MFD_CLOEXEC));
  if (!file || ::write(file.get(), data, size) != static_cast<ssize_t>(size)) std::abort();
  const auto core = CoreFile::open("/proc/self/fd/" + std::to_string(file.get()));
  if (!core) return 0;
  const CoreModules modules(*core, "");
  const CoreMemory memory(*core, modules);
  const auto list = modules.list();
  if (!list || list->size() > core->maps().size()) std::abort();
  std::array<std::byte, 5000> bytes;
  for (const Module& module : *list) {
    static_cast<void>(modules.open(module));
    static_cast<void>(memory.read_bytes(module.header.begin, bytes));
    static_cast<void>(memory.read_bytes(module.header.end - 100, bytes));
    if (const auto image = ElfImage::read(memory, module.header.begin)) static_cast<void>(image->find("_PyRuntime"));
  }
  for (const MapEntry& entry : core->maps()) {
    if (core->held_from(entry.begin) > size) std::abort();
    static_cast<void>(memory.read_bytes(entry.begin, bytes));
  }
  static_cast<void>(modules.problems());
  return 0;
}

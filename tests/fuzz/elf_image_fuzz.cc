#include <cstdlib>

#include "daemon/target/elf_image.h"
#include "tests/fuzz/hostile_memory.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pycroscope;
  const fuzz::HostileMemory memory({data, size});
  const auto image = ElfImage::read(memory, RemoteAddress(0x7f0000000000));
  if (!image) return 0;
  for (const char* name : {"_PyRuntime", "Py_Version", ""}) {
    const auto address = image->find(name);
    if (address && *address && !image->contains(*address)) std::abort();
  }
  return 0;
}

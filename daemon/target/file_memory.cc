#include "daemon/target/file_memory.h"

#include "daemon/os/file.h"

namespace pycroscope {

Status FileMemory::read_bytes(RemoteAddress address, std::span<std::byte> out) const {
  const auto size = read_at(file_, address.address(), out);
  if (!size || *size != out.size()) return fail(ErrorCode::kMemory, "not in the file");
  return {};
}

}  // namespace pycroscope

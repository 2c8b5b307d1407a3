#include "daemon/target/core_memory.h"

#include <algorithm>

#include "daemon/target/page_cache.h"

namespace pycroscope {

Status CoreMemory::read_bytes(RemoteAddress address, std::span<std::byte> out) const {
  while (!out.empty()) {
    PYC_TRY(const size_t size, read_some(address, out));
    out = out.subspan(size);
    address = address + size;
  }
  return {};
}

Result<size_t> CoreMemory::read_some(RemoteAddress address, std::span<std::byte> out) const {
  if (const uint64_t held = core_.held_from(address); held > 0) {
    const size_t size = std::min<uint64_t>(out.size(), held);
    PYC_CHECK(core_.read_bytes(address, out.first(size)));
    return size;
  }
  if (!core_.is_unchanged(address)) return fail(ErrorCode::kMemory, "not in the core file");
  PYC_TRY(const CoreModules::Place place, modules_.place_of(address));
  // Within a page everything comes from one place.
  const size_t size = std::min<uint64_t>(out.size(), PageCache::kPageSize - address.address() % PageCache::kPageSize);
  PYC_CHECK(place.file->read_bytes(place.offset, out.first(size)));
  return size;
}

}  // namespace pycroscope

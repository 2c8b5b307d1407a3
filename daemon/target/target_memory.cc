#include "daemon/target/target_memory.h"

#include <algorithm>

namespace pycroscope {

Status TargetMemory::read_ranges(std::span<const Range> ranges) const {
  for (const Range& range : ranges) PYC_CHECK(read_bytes(range.address, range.out));
  return {};
}

void CapturedMemory::add(RemoteAddress address, std::span<const std::byte> bytes) {
  const auto after = std::upper_bound(ranges_.begin(), ranges_.end(), address,
                                      [](RemoteAddress a, const Captured& range) { return a < range.address; });
  ranges_.insert(after, Captured{address, {bytes.begin(), bytes.end()}});
}

Status CapturedMemory::read_bytes(RemoteAddress address, std::span<std::byte> out) const {
  auto range = std::upper_bound(ranges_.begin(), ranges_.end(), address,
                                [](RemoteAddress a, const Captured& r) { return a < r.address; });
  if (range != ranges_.begin()) --range;
  // Ranges that touch are read across, as memory would be.
  while (!out.empty()) {
    if (range == ranges_.end() || address < range->address) return fail(ErrorCode::kMemory, "not captured");
    const uint64_t skip = address.address() - range->address.address();
    if (skip >= range->bytes.size()) return fail(ErrorCode::kMemory, "not captured");
    const size_t n = std::min(out.size(), range->bytes.size() - skip);
    std::copy_n(range->bytes.begin() + static_cast<ptrdiff_t>(skip), n, out.begin());
    out = out.subspan(n);
    address = address + n;
    ++range;
  }
  return {};
}

}  // namespace pycroscope

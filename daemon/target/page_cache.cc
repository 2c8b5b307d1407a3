#include "daemon/target/page_cache.h"

#include <algorithm>
#include <cstring>

namespace pycroscope {

Result<const PageCache::Page*> PageCache::page(uint64_t number) const {
  if (number == last_number_) return last_;
  auto it = pages_.find(number);
  if (it == pages_.end()) {
    if (pages_.size() >= max_pages_) return nullptr;
    auto fresh = std::make_unique_for_overwrite<Page>();
    PYC_CHECK(memory_.read_bytes(RemoteAddress(number * kPageSize), *fresh));
    it = pages_.emplace(number, std::move(fresh)).first;
  }
  last_number_ = number;
  last_ = it->second.get();
  return last_;
}

Status PageCache::read_bytes(RemoteAddress address, std::span<std::byte> out) const {
  if (out.size() > 16 * kPageSize) return memory_.read_bytes(address, out);
  while (!out.empty()) {
    const uint64_t offset = address.address() % kPageSize;
    const size_t size = std::min<size_t>(out.size(), kPageSize - offset);
    PYC_TRY(const Page* page, this->page(address.address() / kPageSize));
    if (page == nullptr) return memory_.read_bytes(address, out);
    std::memcpy(out.data(), page->data() + offset, size);
    address = address + size;
    out = out.subspan(size);
  }
  return {};
}

}  // namespace pycroscope

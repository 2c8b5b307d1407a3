#include "daemon/target/page_snapshot.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

namespace pycroscope {

void PageSnapshot::restart(std::span<const uint64_t> expected) {
  slots_.clear();
  for (const uint64_t number : expected) slots_.push_back({.number = number, .page = new_page()});
  last_ = 0;
}

void PageSnapshot::expect(std::vector<Range>& ranges) {
  for (const Slot& slot : slots_)
    ranges.push_back({RemoteAddress(slot.number * PageCache::kPageSize), *pages_[slot.page]});
}

void PageSnapshot::capture() {
  for (Slot& slot : slots_) slot.valid = true;
}

// To be called before the slot that will hold it is there.
size_t PageSnapshot::new_page() const {
  if (pages_.size() == slots_.size()) pages_.push_back(std::make_unique_for_overwrite<Page>());
  return slots_.size();
}

Result<const PageSnapshot::Page*> PageSnapshot::page(uint64_t number) const {
  if (last_ >= slots_.size() || slots_[last_].number != number) {
    auto at = std::ranges::lower_bound(slots_, number, {}, &Slot::number);
    if (at == slots_.end() || at->number != number) at = slots_.insert(at, {.number = number, .page = new_page()});
    last_ = static_cast<size_t>(at - slots_.begin());
  }
  Slot& slot = slots_[last_];
  if (!slot.valid) PYC_CHECK(memory_.read_bytes(RemoteAddress(number * PageCache::kPageSize), *pages_[slot.page]));
  slot.valid = slot.used = true;
  return pages_[slot.page].get();
}

Status PageSnapshot::read_bytes(RemoteAddress address, std::span<std::byte> out) const {
  while (!out.empty()) {
    const uint64_t offset = address.address() % PageCache::kPageSize;
    const size_t size = std::min<size_t>(out.size(), PageCache::kPageSize - offset);
    PYC_TRY(const Page* page, this->page(address.address() / PageCache::kPageSize));
    std::memcpy(out.data(), page->data() + offset, size);
    address = address + size;
    out = out.subspan(size);
  }
  return {};
}

void PageSnapshot::used(std::vector<uint64_t>& numbers) const {
  numbers.clear();
  for (const Slot& slot : slots_)
    if (slot.used) numbers.push_back(slot.number);
}

void PageHabit::learn(const PageSnapshot& snapshot) {
  std::swap(last_, before_);
  snapshot.used(last_);
  expected_.clear();
  std::ranges::set_union(last_, before_, std::back_inserter(expected_));
}

}  // namespace pycroscope

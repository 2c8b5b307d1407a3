#include "daemon/target/memory_snapshot.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

namespace pycroscope {

void MemorySnapshot::restart(std::span<const uint64_t> expected) {
  slots_.clear();
  expected_.resize(expected.size() * kBlockSize);
  for (size_t i = 0; i < expected.size(); ++i)
    slots_.push_back({.number = expected[i], .data = expected_.data() + i * kBlockSize});
  spares_used_ = 0;
  last_ = 0;
}

void MemorySnapshot::expect(std::vector<Range>& ranges) {
  for (size_t i = 0; i < slots_.size();) {
    const size_t begin = i++;
    while (i < slots_.size() && slots_[i].number == slots_[i - 1].number + 1) ++i;
    ranges.push_back(
        {RemoteAddress(slots_[begin].number * kBlockSize), std::span(slots_[begin].data, (i - begin) * kBlockSize)});
  }
}

void MemorySnapshot::capture() {
  for (Slot& slot : slots_) slot.valid = true;
}

std::byte* MemorySnapshot::spare() const {
  if (spares_used_ == spares_.size()) spares_.push_back(std::make_unique_for_overwrite<Block>());
  return spares_[spares_used_++]->data();
}

Result<const std::byte*> MemorySnapshot::block(uint64_t number) const {
  if (last_ >= slots_.size() || slots_[last_].number != number) {
    auto at = std::ranges::lower_bound(slots_, number, {}, &Slot::number);
    if (at == slots_.end() || at->number != number) at = slots_.insert(at, {.number = number, .data = spare()});
    last_ = static_cast<size_t>(at - slots_.begin());
  }
  Slot& slot = slots_[last_];
  if (!slot.valid) PYC_CHECK(memory_.read_bytes(RemoteAddress(number * kBlockSize), std::span(slot.data, kBlockSize)));
  slot.valid = slot.used = true;
  return slot.data;
}

Status MemorySnapshot::read_bytes(RemoteAddress address, std::span<std::byte> out) const {
  while (!out.empty()) {
    const uint64_t offset = address.address() % kBlockSize;
    const size_t size = std::min<size_t>(out.size(), kBlockSize - offset);
    PYC_TRY(const std::byte* data, block(address.address() / kBlockSize));
    std::memcpy(out.data(), data + offset, size);
    address = address + size;
    out = out.subspan(size);
  }
  return {};
}

void MemorySnapshot::used(std::vector<uint64_t>& numbers) const {
  numbers.clear();
  for (const Slot& slot : slots_)
    if (slot.used) numbers.push_back(slot.number);
}

void ReadHabit::learn(const MemorySnapshot& snapshot) {
  std::swap(last_, before_);
  snapshot.used(last_);
  expected_.clear();
  std::ranges::set_union(last_, before_, std::back_inserter(expected_));
}

}  // namespace pycroscope

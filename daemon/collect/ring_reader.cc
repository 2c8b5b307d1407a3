#include "daemon/collect/ring_reader.h"

#include <algorithm>
#include <utility>

namespace pycroscope {
namespace {

template <class T>
T load(const T& value, int order) {
  return __atomic_load_n(&value, order);
}

}  // namespace

void RingReader::look() {
  if (broken_) return;
  // Before the head: what a writer that has closed wrote is all there.
  closed_ = load(ring_->writer_closed, __ATOMIC_ACQUIRE) != 0;
  const uint64_t head = load(ring_->head, __ATOMIC_ACQUIRE);
  if (head < head_ || head - tail_ > uint64_t{mask_} + 1) return give_up();
  head_ = head;
}

pyc_ring_slot RingReader::slot(uint64_t position) const {
  const pyc_ring_slot& there = slots_[position & mask_];
  return {load(there.first, __ATOMIC_RELAXED), load(there.second, __ATOMIC_RELAXED)};
}

// The slots after the first of a record; nothing where there is no such record.
std::optional<uint64_t> RingReader::more_slots(const pyc_ring_slot& first) {
  const auto type = static_cast<uint32_t>(first.first & 0xFF);
  if (type == PYC_RING_TEXT) {
    const uint64_t size = first.second >> 32;
    if (size > PYC_RING_MAX_TEXT) return std::nullopt;
    return (size + sizeof(pyc_ring_slot) - 1) / sizeof(pyc_ring_slot);
  }
  if (type >= PYC_RING_EVENT_TYPES && (type < PYC_RING_TEXT || type > PYC_RING_LABEL)) return std::nullopt;
  return pyc_ring_more(type);
}

bool RingReader::read_record() {
  if (broken_ || tail_ == head_) return false;
  const pyc_ring_slot first = slot(tail_);
  const std::optional<uint64_t> more = more_slots(first);
  if (!more || 1 + *more > head_ - tail_) {
    give_up();
    return false;
  }
  record_.time = first.first >> 8;
  record_.type = static_cast<uint32_t>(first.first & 0xFF);
  record_.id = static_cast<uint32_t>(first.second);
  record_.extra = static_cast<uint32_t>(first.second >> 32);
  const bool is_text = record_.type == PYC_RING_TEXT;
  if (is_text) text_.clear();
  for (uint64_t i = 0; i < *more; ++i) {
    const pyc_ring_slot next = slot(tail_ + 1 + i);
    if (is_text) {
      text_.append(reinterpret_cast<const char*>(&next), sizeof next);
    } else {
      record_.arguments[2 * i] = next.first;
      record_.arguments[2 * i + 1] = next.second;
    }
  }
  if (is_text) text_.resize(record_.extra);
  tail_ += 1 + *more;
  has_record_ = true;
  return true;
}

std::optional<uint64_t> RingReader::time_of(uint32_t n) const {
  if (broken_) return std::nullopt;
  if (has_record_ && --n == 0) return record_.time;
  for (uint64_t at = tail_; at < head_;) {
    const pyc_ring_slot first = slot(at);
    if (--n == 0) return first.first >> 8;
    const std::optional<uint64_t> more = more_slots(first);
    if (!more) break;
    at += 1 + *more;
  }
  return std::nullopt;
}

// How many events were in what is left is not known: as many as there are slots at most.
void RingReader::give_up() {
  broken_ = true;
  unreadable_ += std::clamp<uint64_t>(head_ - tail_, 1, uint64_t{mask_} + 1);
  tail_ = head_;
  close();
}

void RingReader::release() { __atomic_store_n(&ring_->tail, tail_, __ATOMIC_RELEASE); }

uint64_t RingReader::take_lost() {
  const uint64_t lost = load(ring_->lost, __ATOMIC_RELAXED);
  // A count that goes back is no count.
  const uint64_t since = lost > lost_seen_ ? lost - lost_seen_ : 0;
  lost_seen_ = std::max(lost, lost_seen_);
  return since + std::exchange(unreadable_, 0);
}

void RingReader::close() { __atomic_store_n(&ring_->reader_closed, 1, __ATOMIC_RELEASE); }

}  // namespace pycroscope

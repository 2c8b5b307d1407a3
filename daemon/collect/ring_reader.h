// The reading side of daemon/probe/ring.h. The writer lives in the target, so nothing that it wrote is trusted: records
// are copied before they are looked at, sizes are ours, and a ring that makes no sense is read no further.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "daemon/probe/ring.h"

namespace pycroscope {

struct RingRecord {
  uint64_t time = 0;
  uint32_t type = 0, id = 0, extra = 0;
  std::array<uint64_t, 4> arguments{};
};

// One owner thread. Does not own the memory.
class RingReader {
 public:
  // `memory`: pyc_ring_bytes(slots) of it, which pyc_ring_make() has made a ring.
  RingReader(std::span<std::byte> memory, uint32_t slots)
      : ring_(reinterpret_cast<pyc_ring*>(memory.data())),
        slots_(reinterpret_cast<pyc_ring_slot*>(memory.data() + PYC_RING_SLOTS_AT)),
        mask_(slots - 1) {}

  // Looks how far the writer is. What it writes afterwards waits for the next look.
  void look();
  // The next record of those, nothing when there is none. The same until pass().
  const RingRecord* peek() { return has_record_ || read_record() ? &record_ : nullptr; }
  // Of the record, where it is a PYC_RING_TEXT.
  const std::string& text() const { return text_; }
  void pass() { has_record_ = false; }
  // The time of the `n`th record (1: the next one), if there are so many.
  std::optional<uint64_t> time_of(uint32_t n) const;
  // Gives the writer the room back of what was read.
  void release();

  // Events that the writer dropped, and those of a broken ring that cannot be read, since the last call.
  uint64_t take_lost();
  // The writer did what no writer does: nothing more comes of it.
  bool broken() const { return broken_; }
  // The writer has gone and all that it wrote was read.
  bool finished() const { return closed_ && tail_ == head_ && !has_record_; }
  // Tells the writer that nobody reads any more.
  void close();

 private:
  static std::optional<uint64_t> more_slots(const pyc_ring_slot& first);
  pyc_ring_slot slot(uint64_t position) const;
  bool read_record();
  void give_up();

  pyc_ring* ring_;
  pyc_ring_slot* slots_;
  uint32_t mask_;
  uint64_t head_ = 0, tail_ = 0;
  uint64_t lost_seen_ = 0, unreadable_ = 0;
  bool broken_ = false, closed_ = false;
  bool has_record_ = false;  // read, not passed
  RingRecord record_;
  std::string text_;
};

}  // namespace pycroscope

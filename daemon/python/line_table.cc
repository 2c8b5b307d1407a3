// The location table of 3.11 and later, v3.11.2 Objects/locations.md:
//
//   table    := entry*
//   entry    := first_byte payload
//   first    := 1 (bit 7) | kind (bits 6-3) | length - 1 in code units (bits 2-0)
//   payload  := kinds 0-9    column byte                      same line
//               kinds 10-12  column, end column               line + (kind - 10)
//               kind 13      svarint                          line + svarint, no columns
//               kind 14      svarint, 3 varints               line + svarint; end line, column, end column
//               kind 15      nothing                          no location
//   varint   := 6 bits a byte, low ones first; bit 6: more follow
//   svarint  := varint whose bit 0 is the sign
//
// Up to 3.10 the table is a sequence of pairs of bytes, unsigned and signed (v3.10.13 Objects/lnotab_notes.txt).
// co_lnotab of 3.8 and 3.9: how many bytes of bytecode the line so far goes on, what is then added to the line.
// co_linetable of 3.10: what is added to the line (-128: no line, and nothing added), for how many bytes that line goes
// on.
#include <algorithm>

#include "daemon/python/code_object.h"

namespace pycroscope {
namespace {

constexpr int32_t kCodeUnitBytes = 2;
constexpr int64_t kMaxLine = INT32_MAX;  // lines are int in CPython

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  bool at_end() const { return bytes_.empty() || failed_; }
  bool failed() const { return failed_; }

  uint8_t byte() {
    if (bytes_.empty()) {
      failed_ = true;
      return 0;
    }
    const auto value = static_cast<uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return value;
  }
  void skip(size_t count) {
    for (size_t i = 0; i < count; ++i) byte();
  }
  uint32_t varint() {
    uint64_t value = 0;
    uint8_t part = 0;
    int shift = 0;
    do {
      part = byte();
      value |= uint64_t{part & 0x3fu} << shift;
      shift += 6;
      if (shift > 36 || value > UINT32_MAX) failed_ = true;
    } while ((part & 0x40) != 0 && !failed_);
    return static_cast<uint32_t>(value);
  }
  int64_t signed_varint() {
    const uint32_t value = varint();
    const int64_t magnitude = value >> 1;
    return (value & 1) != 0 ? -magnitude : magnitude;
  }

 private:
  std::string_view bytes_;
  bool failed_ = false;
};

// Reads the payload of an entry and returns what it adds to the line.
int64_t line_delta(Reader& reader, int kind) {
  if (kind <= 9) {
    reader.skip(1);
    return 0;
  }
  if (kind <= 12) {
    reader.skip(2);
    return kind - 10;
  }
  if (kind == 15) return 0;
  const int64_t delta = reader.signed_varint();
  if (kind == 14) {
    for (int i = 0; i < 3; ++i) reader.varint();
  }
  return delta;
}

}  // namespace

void LineTable::decode_locations(std::string_view bytes) {
  Reader reader(bytes);
  int64_t line = first_line_;
  int32_t end = 0;
  while (!reader.at_end()) {
    const uint8_t first = reader.byte();
    const int entry_kind = (first >> 3) & 15;
    line += line_delta(reader, entry_kind);
    if ((first & 0x80) == 0 || reader.failed() || line < 0 || line > kMaxLine) break;
    end += ((first & 7) + 1) * kCodeUnitBytes;
    add(end, entry_kind == 15 ? 0 : line);
  }
}

void LineTable::decode_lnotab(std::string_view bytes) {
  int64_t line = first_line_;
  int32_t end = 0;
  for (; bytes.size() >= 2; bytes.remove_prefix(2)) {
    const auto length = static_cast<uint8_t>(bytes[0]);
    end += length;
    if (length > 0) add(end, line);
    line += static_cast<int8_t>(bytes[1]);
    if (line < 0 || line > kMaxLine) return;
  }
  add(INT32_MAX, line);
}

void LineTable::decode_ranges(std::string_view bytes) {
  int64_t line = first_line_;
  int32_t end = 0;
  for (; bytes.size() >= 2; bytes.remove_prefix(2)) {
    const auto length = static_cast<uint8_t>(bytes[0]);
    const auto delta = static_cast<int8_t>(bytes[1]);
    if (delta != INT8_MIN) line += delta;
    if (line < 0 || line > kMaxLine) return;
    end += length;
    if (length > 0) add(end, delta == INT8_MIN ? 0 : line);
  }
}

// Entries differ in columns mostly: one of ours spans all neighbours on a line.
void LineTable::add(int32_t end, int64_t line) {
  const auto shown = static_cast<uint32_t>(line);
  if (!entries_.empty() && entries_.back().line == shown) {
    entries_.back().end = end;
  } else {
    entries_.push_back({end, shown});
  }
}

LineTable LineTable::decode(pyc_linetable_kind kind, uint32_t first_line, std::string_view bytes) {
  LineTable table;
  table.first_line_ = first_line;
  switch (kind) {
    case PYC_LINETABLE_LOCATIONS:
      table.decode_locations(bytes);
      break;
    case PYC_LINETABLE_LNOTAB:
      table.decode_lnotab(bytes);
      break;
    case PYC_LINETABLE_RANGES:
      table.decode_ranges(bytes);
      break;
  }
  table.entries_.shrink_to_fit();
  return table;
}

uint32_t LineTable::line(int32_t offset) const {
  if (offset < 0) return first_line_;
  const auto entry = std::ranges::upper_bound(entries_, offset, {}, &Entry::end);
  return entry == entries_.end() ? 0 : entry->line;
}

}  // namespace pycroscope

#include "daemon/python/unicode.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "bpf/include/code_identity.h"

namespace pycroscope {
namespace {

constexpr char32_t kReplacement = 0xfffd;

constexpr bool is_surrogate(char32_t c) { return c >= 0xd800 && c <= 0xdfff; }

template <class Unit>
std::u32string widen(std::span<const std::byte> raw) {
  std::u32string text(raw.size() / sizeof(Unit), U'\0');
  for (size_t i = 0; i < text.size(); ++i) {
    Unit unit;
    std::memcpy(&unit, &raw[i * sizeof unit], sizeof unit);
    text[i] = unit;
  }
  return text;
}

std::u32string widen(std::span<const std::byte> raw, uint32_t unit_bytes) {
  switch (unit_bytes) {
    case 1:
      return widen<uint8_t>(raw);
    case 2:
      return widen<uint16_t>(raw);
    default:
      return widen<uint32_t>(raw);
  }
}

std::string to_utf8(std::u32string_view points) {
  std::string text;
  text.reserve(points.size());
  for (const char32_t c : points) append_utf8(text, c);
  return text;
}

// The length of the UTF-8 sequence at the start of `bytes`, 0 when it is not valid.
size_t utf8_length(std::string_view bytes) {
  const auto lead = static_cast<uint8_t>(bytes[0]);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || bytes.size() < length) return 0;
  char32_t c = lead & (0xffu >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    const auto tail = static_cast<uint8_t>(bytes[i]);
    if ((tail & 0xc0) != 0x80) return 0;
    c = (c << 6) | (tail & 0x3f);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  return c < kSmallest[length] || c > 0x10ffff || is_surrogate(c) ? 0 : length;
}

// Before 3.12 a str that was made of wchar_t and never looked at has that form only.
Result<UnicodeText> read_wide_header(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress object) {
  if (layout.unicode_wstr == PYC_NO_OFFSET) return fail(ErrorCode::kMemory, "not a str");
  UnicodeText text{.data = {}, .length = 0, .unit_bytes = sizeof(wchar_t)};
  PYC_TRY(text.data, memory.read_pointer(object + layout.unicode_wstr));
  PYC_TRY(text.length, memory.read<uint64_t>(object + layout.unicode_wstr_length));
  return text;
}

}  // namespace

void append_utf8(std::string& out, char32_t c) {
  if (is_surrogate(c) || c > 0x10ffff) c = kReplacement;
  const auto put = [&out](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  const auto put_tail = [&put, c](int shift) { put(0x80 | ((c >> shift) & 0x3f)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | (c >> 6));
    put_tail(0);
  } else if (c < 0x10000) {
    put(0xe0 | (c >> 12));
    put_tail(6);
    put_tail(0);
  } else {
    put(0xf0 | (c >> 18));
    put_tail(12);
    put_tail(6);
    put_tail(0);
  }
}

Result<UnicodeText> read_unicode_header(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress object) {
  uint64_t length = 0;
  uint32_t state = 0;
  const std::array ranges = {
      TargetMemory::Range{object + layout.unicode_length, std::as_writable_bytes(std::span(&length, 1))},
      TargetMemory::Range{object + layout.unicode_state, std::as_writable_bytes(std::span(&state, 1))}};
  PYC_CHECK(memory.read_ranges(ranges));
  const uint32_t form = state >> (layout.unicode_kind_bit & 31);
  if (pyc_unicode_kind(form) == 0) return read_wide_header(memory, layout, object);
  UnicodeText text{.data = {}, .length = length, .unit_bytes = pyc_unicode_kind(form)};
  if (text.unit_bytes != 1 && text.unit_bytes != 2 && text.unit_bytes != 4)
    return fail(ErrorCode::kMemory, "not a str");
  if (static_cast<int64_t>(length) < 0) return fail(ErrorCode::kMemory, "a str of negative length");
  if (pyc_unicode_compact(form) == 0) {
    PYC_TRY(text.data, memory.read_pointer(object + layout.unicode_compact_data));
  } else {
    text.data = object + (pyc_unicode_ascii(form) != 0 ? layout.unicode_ascii_data : layout.unicode_compact_data);
  }
  return text;
}

Result<CodePoints> read_code_points(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress object,
                                    size_t limit) {
  PYC_TRY(const auto header, read_unicode_header(memory, layout, object));
  std::vector<std::byte> raw(std::min<uint64_t>(header.length, limit) * header.unit_bytes);
  PYC_CHECK(memory.read_bytes(header.data, raw));
  return CodePoints{.text = widen(raw, header.unit_bytes), .cut = header.length > limit};
}

Result<std::string> read_unicode(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress object,
                                 size_t limit) {
  PYC_TRY(const CodePoints points, read_code_points(memory, layout, object, limit));
  std::string text = to_utf8(points.text);
  if (points.cut) text += "…";
  return text;
}

std::string utf8_of(std::span<const std::byte> text, uint32_t unit_bytes) { return to_utf8(widen(text, unit_bytes)); }

bool equals_ascii(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress object, std::string_view text) {
  const auto header = read_unicode_header(memory, layout, object);
  if (!header || header->unit_bytes != 1 || header->length != text.size()) return false;
  std::string found(text.size(), '\0');
  return memory.read_bytes(header->data, std::as_writable_bytes(std::span(found))) && found == text;
}

std::string printable_utf8(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const size_t length = utf8_length(bytes);
    const auto lead = static_cast<uint8_t>(bytes[0]);
    const bool is_control = lead < 0x20 || lead == 0x7f;
    if (length == 0 || is_control) {
      append_utf8(text, kReplacement);
    } else {
      text += bytes.substr(0, length);
    }
    bytes.remove_prefix(std::max<size_t>(length, 1));
  }
  return text;
}

Result<std::string> read_bytes_object(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress object,
                                      size_t limit) {
  PYC_TRY(const auto size, memory.read<uint64_t>(object + layout.var_size));
  if (size > limit) return fail(ErrorCode::kMemory, "a bytes object of " + std::to_string(size) + " bytes");
  std::string content(size, '\0');
  PYC_CHECK(memory.read_bytes(object + layout.bytes_data, std::as_writable_bytes(std::span(content))));
  return content;
}

}  // namespace pycroscope

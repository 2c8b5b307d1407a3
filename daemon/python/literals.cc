#include "daemon/python/literals.h"

#include <re2/re2.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

#include "daemon/python/unicode.h"

namespace pycroscope {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";

// A backslash, `kind` and `width` hexadecimal digits.
std::string hex_escape(char kind, uint32_t value, int width) {
  std::string text{'\\', kind};
  for (int shift = 4 * (width - 1); shift >= 0; shift -= 4) text += kHex[(value >> shift) & 0xf];
  return text;
}

// What str and bytes have in common; empty when the character needs no escape of this kind.
std::string ascii_escape(uint32_t c, char quote) {
  switch (c) {
    case '\t':
      return "\\t";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\\':
      return "\\\\";
    default:
      if (c == static_cast<unsigned char>(quote)) return {'\\', quote};
      return c < 0x20 || c == 0x7f ? hex_escape('x', c, 2) : std::string();
  }
}

// Python's str.isprintable() beyond ASCII: all but "other" and "separator".
bool is_printable(const std::string& character) {
  static const RE2 printable("[\\pL\\pM\\pN\\pP\\pS]");
  return RE2::FullMatch(character, printable);
}

std::string str_piece(char32_t c, char quote) {
  if (c < 0x80) {
    std::string escape = ascii_escape(c, quote);
    return escape.empty() ? std::string{static_cast<char>(c)} : escape;
  }
  const bool is_character = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
  if (is_character) {
    std::string character;
    append_utf8(character, c);
    if (is_printable(character)) return character;
  }
  if (c <= 0xff) return hex_escape('x', c, 2);
  return c <= 0xffff ? hex_escape('u', c, 4) : hex_escape('U', c, 8);
}

// Apostrophes, unless that means escaping and quotation marks do not.
template <class Char>
char choose_quote(std::basic_string_view<Char> text) {
  return text.find(Char('\'')) != text.npos && text.find(Char('"')) == text.npos ? '"' : '\'';
}

}  // namespace

std::string int_literal(bool negative, std::span<const uint32_t> digits) {
  constexpr uint64_t kBase = 1'000'000'000;
  std::vector<uint32_t> decimal{0};  // base 10**9, least significant first
  for (size_t i = digits.size(); i-- > 0;) {
    uint64_t carry = digits[i];
    for (uint32_t& part : decimal) {
      carry += static_cast<uint64_t>(part) << 30;
      part = static_cast<uint32_t>(carry % kBase);
      carry /= kBase;
    }
    for (; carry != 0; carry /= kBase) decimal.push_back(static_cast<uint32_t>(carry % kBase));
  }
  std::string text = (negative ? "-" : "") + std::to_string(decimal.back());
  for (size_t i = decimal.size() - 1; i-- > 0;) {
    const std::string part = std::to_string(decimal[i]);
    text += std::string(9 - part.size(), '0') + part;
  }
  return text;
}

std::string float_literal(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  const double size = std::fabs(value);
  // Python changes to exponents outside of [1e-4, 1e16): v3.13.0 Python/pystrtod.c, format_float_short() for 'r'.
  const bool fixed = size == 0 || (size >= 1e-4 && size < 1e16);
  char buffer[64];
  const auto result = std::to_chars(std::begin(buffer), std::end(buffer), value,
                                    fixed ? std::chars_format::fixed : std::chars_format::scientific);
  std::string text(std::begin(buffer), result.ptr);
  if (fixed && text.find('.') == text.npos) text += ".0";
  return text;
}

bool LimitedText::append(std::string_view piece) {
  if (cut_) return false;
  if (text_.size() + piece.size() > limit_) {
    cut();
    return false;
  }
  text_ += piece;
  return true;
}

void LimitedText::cut() {
  if (!cut_) text_ += "…";
  cut_ = true;
}

void append_str_literal(LimitedText& out, std::u32string_view text, bool complete) {
  const char quote = choose_quote(text);
  out.append({&quote, 1});
  for (const char32_t c : text) {
    if (!out.append(str_piece(c, quote))) return;
  }
  if (complete) {
    out.append({&quote, 1});
  } else {
    out.cut();
  }
}

void append_bytes_literal(LimitedText& out, std::string_view bytes, bool complete) {
  const char quote = choose_quote(bytes);
  out.append("b");
  out.append({&quote, 1});
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    std::string piece = byte >= 0x80 ? hex_escape('x', byte, 2) : ascii_escape(byte, quote);
    if (piece.empty()) piece = c;
    if (!out.append(piece)) return;
  }
  if (complete) {
    out.append({&quote, 1});
  } else {
    out.cut();
  }
}

}  // namespace pycroscope

// str and bytes objects of a target.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "analysis/model/result.h"
#include "bpf/include/python_layout.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

// Where the characters of a str object are.
struct UnicodeText {
  RemoteAddress data;
  uint64_t length = 0;      // code points, as the target says
  uint32_t unit_bytes = 1;  // 1 (Latin-1), 2 or 4 for each code point
};

// Reads the fixed part only. Fails with kMemory, also when what is there cannot be a str.
Result<UnicodeText> read_unicode_header(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress object);

struct CodePoints {
  std::u32string text;  // as in the target: may hold surrogates and impossible values
  bool cut = false;     // the str is longer
};

// The first `limit` code points of a str object.
Result<CodePoints> read_code_points(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress object,
                                    size_t limit);

// Lone surrogates and impossible code points become U+FFFD.
void append_utf8(std::string& out, char32_t c);

// A str object as UTF-8; lone surrogates and impossible code points become U+FFFD. At most `limit` code points; longer
// ones are cut and end in "…".
Result<std::string> read_unicode(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress object,
                                 size_t limit);

// The characters of a str object, each of `unit_bytes` as there, as UTF-8; lone surrogates and impossible code points
// become U+FFFD.
std::string utf8_of(std::span<const std::byte> text, uint32_t unit_bytes);

// Whether `object` is a str that can be read and equals `text`, which is ASCII.
bool equals_ascii(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress object, std::string_view text);

// `bytes` as UTF-8 fit to be shown: what is not valid UTF-8, and each control character, becomes U+FFFD.
std::string printable_utf8(std::string_view bytes);

// The content of a bytes object. One that is longer than `limit` bytes, or cannot be a bytes object, is kMemory.
Result<std::string> read_bytes_object(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress object,
                                      size_t limit);

}  // namespace pycroscope

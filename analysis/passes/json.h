// The pieces of JSON that are ours to write: protobuf's printer turns 64-bit integers into strings.
#pragma once

#include <string>
#include <string_view>

namespace pycroscope {

// Appends `text` as a JSON string with its quotes. Control characters are escaped, each byte that is not part of
// valid UTF-8 becomes U+FFFD: the result is always valid JSON.
void append_json_string(std::string& out, std::string_view text);
std::string json_string(std::string_view text);

// `text` with each byte that is not part of valid UTF-8 replaced by U+FFFD.
std::string valid_utf8(std::string_view text);

// How many bytes the valid UTF-8 sequence at the start of `text` has, 0 when there is none. Surrogates are invalid.
size_t utf8_length(std::string_view text);

}  // namespace pycroscope

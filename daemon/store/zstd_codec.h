// zstd in memory, with this thread's own contexts reused from call to call.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pycroscope {

std::string zstd_compress(std::string_view bytes, int level);
// Exactly `size` bytes, or nothing.
std::optional<std::string> zstd_decompress(std::string_view frame, size_t size);
// A frame that says its size, which must be at most `limit`.
std::optional<std::string> zstd_decompress_limited(std::string_view frame, size_t limit);

}  // namespace pycroscope

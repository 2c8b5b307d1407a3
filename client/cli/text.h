// Figures and names as people read them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "pycroscope/v1/session.pb.h"

namespace pycroscope {

// "12.3 s", "4 m 05 s", "2 h 03 m", "12.3 ms", "870 µs", "0 s".
std::string human_duration(int64_t nanoseconds);
// "1.2 GB", "640 kB", "12 B": decimal units.
std::string human_bytes(uint64_t bytes);
// "10 012": groups of three digits.
std::string human_count(uint64_t count);
// "12.3 %" of whole, "<0.1 %" for more than nothing, "-" when the whole is nothing.
std::string human_share(double part, double whole);

// "10 012 samples, 3 lost (late tick 3), 2 truncated".
std::string human_loss(const v1::Loss& loss, const char* unit = "sample");
// What one of the things is called that the session consists of.
const char* recorded_unit(const v1::Session& session);

// Columns that a terminal needs for UTF-8 `text`; wide characters count two, control characters none.
size_t display_width(std::string_view text);
// `text` in at most `width` columns, the end (or the start) replaced by "…" where it is too long.
std::string cut_end(std::string_view text, size_t width);
std::string cut_start(std::string_view text, size_t width);
// A path in at most `width` columns: "…/package/module.py", whole components while they fit.
std::string shorten_path(std::string_view path, size_t width);
// Control characters (a hostile name could move the cursor) and broken UTF-8 as "\xNN".
std::string visible(std::string_view text);

// Broken into lines of at most `width` columns at spaces, each line after the first indented by `indent` spaces.
std::string wrap(std::string_view text, size_t width, size_t indent);

}  // namespace pycroscope

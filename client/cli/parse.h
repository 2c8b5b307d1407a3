// Values as users type them on the command line. Errors are one clause each, made to follow the name of an option:
// "'5x' is not a duration: give seconds, or a number with ms, s, m, h or d".
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "analysis/model/result.h"

namespace pycroscope {

// "10s", "1.5m", "1h", "250ms", "2d"; a bare number is seconds. Zero and more, at most about 290 years.
Result<std::chrono::nanoseconds> parse_time(std::string_view text);
// As parse_time, but zero is refused: a recording has to last.
Result<std::chrono::nanoseconds> parse_duration(std::string_view text);

// "5GB" (decimal), "512MiB", "2G" (binary, as ls and du have it), a bare number is bytes. Decimals are allowed.
Result<uint64_t> parse_size(std::string_view text);

// A whole number in [low, high]; `what` names the value in the error: "a process id".
Result<int64_t> parse_integer(std::string_view text, std::string_view what, int64_t low, int64_t high);

// "5%" or "5": more than nothing, decimals are allowed.
Result<double> parse_percent(std::string_view text);

// Samples per second, 1 to 10 000; decimals are allowed.
Result<double> parse_rate(std::string_view text);

}  // namespace pycroscope

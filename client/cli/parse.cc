#include "client/cli/parse.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <optional>
#include <span>
#include <string>

namespace pycroscope {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};

constexpr Unit kTimeUnits[] = {
    {"", 1e9},  {"ns", 1},   {"us", 1e3},   {"µs", 1e3},   {"ms", 1e6},
    {"s", 1e9}, {"m", 60e9}, {"min", 60e9}, {"h", 3600e9}, {"d", 86400e9},
};

constexpr double kKi = 1024;
constexpr Unit kSizeUnits[] = {
    {"", 1},
    {"b", 1},
    {"kb", 1e3},
    {"mb", 1e6},
    {"gb", 1e9},
    {"tb", 1e12},
    {"kib", kKi},
    {"mib", kKi* kKi},
    {"gib", kKi* kKi* kKi},
    {"tib", kKi* kKi* kKi* kKi},
    {"k", kKi},
    {"m", kKi* kKi},
    {"g", kKi* kKi* kKi},
    {"t", kKi* kKi* kKi* kKi},
};

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

// The number and its unit multiplied out; nothing when `text` is not of that form.
std::optional<double> parse_with_unit(std::string_view text, std::span<const Unit> units) {
  double number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc() || !std::isfinite(number)) return std::nullopt;
  std::string_view suffix(rest, static_cast<size_t>(text.data() + text.size() - rest));
  if (suffix.starts_with(' ')) suffix.remove_prefix(1);
  const std::string unit_name = lower(suffix);
  for (const Unit& unit : units) {
    if (unit.name == unit_name) return number * unit.factor;
  }
  return std::nullopt;
}

std::optional<double> parse_decimal(std::string_view text) {
  double value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc() || rest != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

}  // namespace

Result<std::chrono::nanoseconds> parse_time(std::string_view text) {
  const std::optional<double> value = parse_with_unit(text, kTimeUnits);
  if (!value) {
    return fail(ErrorCode::kInvalid,
                fmt::format("'{}' is not a time: give seconds, or a number with ms, s, m, h or d", text));
  }
  if (*value < 0) return fail(ErrorCode::kInvalid, fmt::format("'{}' is negative", text));
  if (*value > 9.2e18) return fail(ErrorCode::kInvalid, fmt::format("'{}' is too long", text));
  return std::chrono::nanoseconds(std::llround(*value));
}

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  PYC_TRY(const std::chrono::nanoseconds value, parse_time(text));
  if (value.count() == 0)
    return fail(ErrorCode::kInvalid, fmt::format("'{}' is no time at all: give more than 0", text));
  return value;
}

Result<uint64_t> parse_size(std::string_view text) {
  const std::optional<double> value = parse_with_unit(text, kSizeUnits);
  if (!value) {
    return fail(
        ErrorCode::kInvalid,
        fmt::format("'{}' is not a size: give bytes, or a number with kB, MB, GB, TB or KiB, MiB, GiB, TiB", text));
  }
  if (*value < 0) return fail(ErrorCode::kInvalid, fmt::format("'{}' is negative", text));
  if (*value > 9.2e18) return fail(ErrorCode::kInvalid, fmt::format("'{}' is too large", text));
  return static_cast<uint64_t>(std::llround(*value));
}

Result<int64_t> parse_integer(std::string_view text, std::string_view what, int64_t low, int64_t high) {
  int64_t value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_number = error != std::errc::invalid_argument && rest == text.data() + text.size();
  if (!is_number) return fail(ErrorCode::kInvalid, fmt::format("'{}' is not {}", text, what));
  if (error == std::errc::result_out_of_range || value < low || value > high) {
    return fail(ErrorCode::kInvalid, fmt::format("{} is not {}: it must be from {} to {}", text, what, low, high));
  }
  return value;
}

Result<double> parse_percent(std::string_view text) {
  const std::optional<double> value = parse_decimal(text.ends_with('%') ? text.substr(0, text.size() - 1) : text);
  if (!value || *value <= 0) {
    return fail(ErrorCode::kInvalid, fmt::format("'{}' is not a share of a CPU core: give a percentage above 0", text));
  }
  return *value;
}

Result<double> parse_rate(std::string_view text) {
  const std::optional<double> value = parse_decimal(text);
  if (!value) return fail(ErrorCode::kInvalid, fmt::format("'{}' is not a rate: give samples per second", text));
  if (*value < 1 || *value > 10'000) {
    return fail(ErrorCode::kInvalid,
                fmt::format("{} is out of range: the rate is 1 to 10000 samples per second", text));
  }
  return *value;
}

}  // namespace pycroscope

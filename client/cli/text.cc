#include "client/cli/text.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <vector>

#include "analysis/model/loss.h"

namespace pycroscope {
namespace {

// One decoded character: its code point (-1: not UTF-8) and how many bytes it takes.
struct Character {
  int32_t code_point;
  size_t bytes;
};

Character decode(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  const size_t bytes = first >= 0xF0 && first < 0xF5 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 0;
  if (bytes == 0 || first >= 0xF5 || text.size() < bytes) return {-1, 1};
  int32_t code_point = first & (0xFF >> (bytes + 1));
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {-1, 1};
    code_point = code_point << 6 | (byte(i) & 0x3F);
  }
  return {code_point, bytes};
}

struct Range {
  int32_t low, high;
};

constexpr Range kWide[] = {{0x1100, 0x115F},   {0x2E80, 0x303E},   {0x3041, 0xA4CF},  {0xAC00, 0xD7A3},
                           {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},  {0xFFE0, 0xFFE6},
                           {0x1F300, 0x1F64F}, {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD}};
constexpr Range kZero[] = {{0x0300, 0x036F}, {0x200B, 0x200F}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}};

template <size_t N>
bool in_any(const Range (&ranges)[N], int32_t code_point) {
  for (const Range& range : ranges) {
    if (code_point >= range.low && code_point <= range.high) return true;
  }
  return false;
}

// Not wcwidth(): the width must not depend on the locale that the program was started in.
size_t width_of(int32_t code_point) {
  if (code_point < 0) return 1;
  if (code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0) || in_any(kZero, code_point)) return 0;
  return in_any(kWide, code_point) ? 2 : 1;
}

std::string two_units(int64_t big, const char* big_unit, int64_t small, const char* small_unit) {
  return fmt::format("{} {} {:02} {}", big, big_unit, small, small_unit);
}

std::string three_digits(double value) {
  return value >= 99.95   ? fmt::format("{:.0f}", value)
         : value >= 9.995 ? fmt::format("{:.1f}", value)
                          : fmt::format("{:.2f}", value);
}

}  // namespace

std::string human_duration(int64_t nanoseconds) {
  if (nanoseconds < 0) return "-" + human_duration(-nanoseconds);
  const double ns = static_cast<double>(nanoseconds);
  if (nanoseconds == 0) return "0 s";
  if (ns < 999.5) return fmt::format("{} ns", nanoseconds);
  if (ns < 999.5e3) return three_digits(ns / 1e3) + " µs";
  if (ns < 999.5e6) return three_digits(ns / 1e6) + " ms";
  if (ns < 99.95e9) return three_digits(ns / 1e9) + " s";
  const int64_t seconds = std::llround(ns / 1e9);
  if (seconds < 3600) return two_units(seconds / 60, "m", seconds % 60, "s");
  const int64_t minutes = seconds / 60;
  if (minutes < 48 * 60) return two_units(minutes / 60, "h", minutes % 60, "m");
  return two_units(minutes / (24 * 60), "d", minutes / 60 % 24, "h");
}

std::string human_bytes(uint64_t bytes) {
  constexpr std::array kUnits = {"kB", "MB", "GB", "TB", "PB", "EB"};
  if (bytes < 1000) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1e3;
  size_t unit = 0;
  for (; value >= 999.5 && unit + 1 < kUnits.size(); ++unit) value /= 1e3;
  return fmt::format("{} {}", three_digits(value), kUnits[unit]);
}

std::string human_count(uint64_t count) {
  std::string digits = std::to_string(count);
  for (size_t end = digits.size(); end > 3; end -= 3) digits.insert(end - 3, 1, ' ');
  return digits;
}

std::string human_share(double part, double whole) {
  if (whole <= 0) return "-";
  const double percent = part / whole * 100;
  if (percent > 0 && percent < 0.05) return "<0.1 %";
  return fmt::format("{:.1f} %", percent);
}

const char* recorded_unit(const v1::Session& session) { return session.config().trace().empty() ? "sample" : "event"; }

std::string human_loss(const v1::Loss& loss, const char* unit) {
  const auto plural = [](uint64_t n, const char* one) {
    return fmt::format("{} {}{}", human_count(n), one, n == 1 ? "" : "s");
  };
  std::string result = plural(loss.recorded(), unit) + ", ";
  if (loss.lost() == 0) {
    result += "none lost";
  } else {
    result += human_count(loss.lost()) + " lost";
    std::string reasons;
    for (const v1::LossCount& entry : loss.by_reason()) {
      if (entry.count() == 0) continue;
      std::string name(loss_reason_name(entry.reason()));
      for (char& c : name) c = c == '_' ? ' ' : c;
      reasons += fmt::format("{}{} {}", reasons.empty() ? "" : ", ", name, human_count(entry.count()));
    }
    if (!reasons.empty()) result += " (" + reasons + ")";
  }
  if (loss.truncated() > 0)
    result += fmt::format(", {} with a stack too deep to keep whole", human_count(loss.truncated()));
  if (loss.discarded() > 0) result += fmt::format(", {} discarded", human_count(loss.discarded()));
  return result;
}

size_t display_width(std::string_view text) {
  size_t width = 0;
  while (!text.empty()) {
    const Character c = decode(text);
    width += width_of(c.code_point);
    text.remove_prefix(c.bytes);
  }
  return width;
}

std::string cut_end(std::string_view text, size_t width) {
  if (display_width(text) <= width) return std::string(text);
  if (width == 0) return "";
  size_t used = 0, taken = 0;
  while (true) {
    const Character c = decode(text.substr(taken));
    if (used + width_of(c.code_point) > width - 1) break;
    used += width_of(c.code_point);
    taken += c.bytes;
  }
  return std::string(text.substr(0, taken)) + "…";
}

std::string cut_start(std::string_view text, size_t width) {
  size_t excess = display_width(text);
  if (excess <= width) return std::string(text);
  if (width == 0) return "";
  while (excess > width - 1) {
    const Character c = decode(text);
    excess -= width_of(c.code_point);
    text.remove_prefix(c.bytes);
  }
  return "…" + std::string(text);
}

std::string shorten_path(std::string_view path, size_t width) {
  if (display_width(path) <= width) return std::string(path);
  for (size_t slash = path.find('/', 1); slash != std::string_view::npos; slash = path.find('/', slash + 1)) {
    const std::string_view tail = path.substr(slash);
    if (display_width(tail) + 1 <= width) return "…" + std::string(tail);
  }
  return cut_start(path, width);
}

std::string visible(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const Character c = decode(text);
    const bool control = c.code_point < 0x20 || (c.code_point >= 0x7F && c.code_point < 0xA0);
    if (!control) {
      result += text.substr(0, c.bytes);
    } else if (c.code_point == '\n') {
      result += "\\n";
    } else {
      for (const char byte : text.substr(0, c.bytes))
        result += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
    }
    text.remove_prefix(c.bytes);
  }
  return result;
}

std::string wrap(std::string_view text, size_t width, size_t indent) {
  std::string result;
  size_t column = indent;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of(" \n"), text.size());
    const std::string_view word = text.substr(0, end);
    const bool at_start = result.empty() || result.back() == '\n' || column == indent;
    if (!at_start && column + 1 + display_width(word) > width) {
      result += '\n';
      result.append(indent, ' ');
      column = indent;
    } else if (!at_start) {
      result += ' ';
      ++column;
    }
    result += word;
    column += display_width(word);
    if (end < text.size() && text[end] == '\n') {
      result += '\n';
      result.append(indent, ' ');
      column = indent;
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return result;
}

}  // namespace pycroscope

#include "daemon/store/session_id.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <random>

namespace pycroscope {
namespace {

constexpr int64_t kTicks = 4096;  // of a second, in an id
constexpr int64_t kWrongestClock = int64_t{10} * 365 * 86'400;

}  // namespace

std::string new_session_id(const google::protobuf::Timestamp& time) {
  auto seconds = static_cast<time_t>(time.seconds());
  tm utc{};
  gmtime_r(&seconds, &utc);
  int64_t fraction = int64_t{time.nanos()} * kTicks / 1'000'000'000;
  unsigned random = std::random_device{}() & 0xFFFu;
  return fmt::format("{:04}{:02}{:02}-{:02}{:02}{:02}-{:03x}{:03x}", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec, fraction, random);
}

std::string next_session_id(const google::protobuf::Timestamp& time, std::string_view newest) {
  std::string id = new_session_id(time);
  if (id > newest) return id;
  const std::string last(newest);
  tm utc{};
  unsigned fraction = 0;
  constexpr size_t kFraction = 16;  // where it stands
  strptime(last.c_str(), "%Y%m%d-%H%M%S", &utc);
  std::from_chars(last.data() + kFraction, last.data() + kFraction + 3, fraction, 16);
  google::protobuf::Timestamp after;
  const int64_t ticks = int64_t{fraction} + 1;
  after.set_seconds(timegm(&utc) + ticks / kTicks);
  // No clock is that wrong: such an id means nothing.
  if (after.seconds() > time.seconds() + kWrongestClock) return id;
  // Rounded up: it must not fall into the tick before.
  after.set_nanos(static_cast<int32_t>((ticks % kTicks * 1'000'000'000 + kTicks - 1) / kTicks));
  return new_session_id(after);
}

bool is_session_id(std::string_view text) {
  constexpr std::string_view kForm = "dddddddd-dddddd-xxxxxx";
  static_assert(kForm.size() == kSessionIdSize);
  auto fits = [](char c, char form) {
    bool digit = c >= '0' && c <= '9';
    return form == '-' ? c == '-' : digit || (form == 'x' && c >= 'a' && c <= 'f');
  };
  return text.size() == kForm.size() && std::ranges::equal(text, kForm, fits);
}

Status check_session_name(std::string_view name) {
  constexpr size_t kMaxName = 128;
  auto forbidden = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '/'; };
  if (name.size() > kMaxName)
    return fail(ErrorCode::kInvalid, "a session's name has at most 128 bytes: choose a shorter one");
  if (std::ranges::any_of(name, forbidden))
    return fail(ErrorCode::kInvalid, "a session's name must be printable and without '/': choose another one");
  if (is_session_id(name) || name == "latest")
    return fail(ErrorCode::kInvalid, fmt::format("'{}' cannot be a session's name: it means something else", name));
  return {};
}

}  // namespace pycroscope

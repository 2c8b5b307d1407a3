// JSON objects built key by key, for the small answers that are not views.
#pragma once

#include <fmt/format.h>

#include <concepts>
#include <string>
#include <string_view>

#include "analysis/passes/json.h"

namespace pycroscope {

class JsonObject {
 public:
  JsonObject& text(std::string_view key, std::string_view value) { return raw(key, json_string(value)); }
  // Empty text is what this session or machine cannot know: null.
  JsonObject& text_or_null(std::string_view key, std::string_view value) {
    return raw(key, value.empty() ? "null" : json_string(value));
  }
  JsonObject& number(std::string_view key, std::integral auto value) { return raw(key, fmt::format("{}", value)); }
  JsonObject& boolean(std::string_view key, bool value) { return raw(key, value ? "true" : "false"); }
  // `value` is JSON already.
  JsonObject& raw(std::string_view key, std::string_view value) {
    json_ += json_.empty() ? "{" : ", ";
    json_ += json_string(key);
    json_ += ": ";
    json_ += value;
    return *this;
  }
  std::string str() const { return json_.empty() ? "{}" : json_ + "}"; }

 private:
  std::string json_;
};

// {"rows": [...]} and a newline, one row a line: what lists print.
template <class Rows, class MakeJson>
std::string json_rows(const Rows& rows, const MakeJson& make_json) {
  std::string result = "{\"rows\": [";
  bool first = true;
  for (const auto& row : rows) {
    result += first ? "\n" : ",\n";
    result += make_json(row);
    first = false;
  }
  return result + (first ? "]}\n" : "\n]}\n");
}

template <class Items, class MakeJson>
std::string json_array(const Items& items, const MakeJson& make_json) {
  std::string result = "[";
  for (const auto& item : items) result += (result.size() > 1 ? ", " : "") + make_json(item);
  return result + "]";
}

}  // namespace pycroscope

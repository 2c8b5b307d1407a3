#include "analysis/export/markup.h"

#include "analysis/passes/json.h"

namespace pycroscope {

std::string markup_text(std::string_view text) {
  constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  std::string out, valid = valid_utf8(text);
  for (size_t i = 0; i < valid.size(); ++i) {
    char c = valid[i];
    std::string_view rest = std::string_view(valid).substr(i);
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else if (static_cast<uint8_t>(c) < 0x20)
      out += kReplacement;
    else if (rest.starts_with("\xEF\xBF\xBE") || rest.starts_with("\xEF\xBF\xBF"))
      out += kReplacement, i += 2;
    else
      out += c;
  }
  return out;
}

std::string clip_text(std::string_view text, double width) {
  constexpr double kMinChars = 3;
  double fit = (width - 6) / kCharWidth;
  if (fit < kMinChars) return "";
  auto letters = static_cast<size_t>(fit);
  std::string valid = valid_utf8(text);
  size_t end = 0, count = 0, cut = 0;
  for (; end < valid.size(); ++count) {
    if (count + 1 == letters) cut = end;
    end += utf8_length(std::string_view(valid).substr(end));
  }
  return count <= letters ? valid : valid.substr(0, cut) + "…";
}

}  // namespace pycroscope

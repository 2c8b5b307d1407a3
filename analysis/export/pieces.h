// Text that is handed on piece by piece while it is made.
#pragma once

#include <fmt/format.h>

#include <iterator>
#include <string>
#include <utility>

#include "analysis/export/export.h"
#include "analysis/passes/json.h"

namespace pycroscope {

class Pieces {
 public:
  // `output` must outlive this.
  explicit Pieces(const ExportOutput& output) : output_(output) {}

  void add(std::string_view text) { text_ += text; }
  template <class... Args>
  void format(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
  }
  void json_string(std::string_view text) { append_json_string(text_, text); }

  // `items` as a JSON list, written by `add_item`, with what is too much handed on.
  template <class Items, class AddItem>
  Status json_list(const Items& items, AddItem add_item) {
    text_ += '[';
    std::string_view before;
    for (const auto& item : items) {
      text_ += std::exchange(before, ",");
      add_item(item);
      PYC_CHECK(flush());
    }
    text_ += ']';
    return {};
  }

  // Hands on what is large enough to be a piece, and all that is left.
  Status flush() { return text_.size() < kPiece ? Status() : finish(); }
  Status finish() {
    Status status = output_(text_);
    text_.clear();
    return status;
  }

 private:
  static constexpr size_t kPiece = size_t{64} << 10;

  const ExportOutput& output_;
  std::string text_;
};

}  // namespace pycroscope

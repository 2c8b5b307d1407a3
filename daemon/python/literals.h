// Values as Python's repr() writes them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace pycroscope {

// An int: its absolute value in digits of base 2**30, least significant first.
std::string int_literal(bool negative, std::span<const uint32_t> digits);

// The shortest text that reads back as the same float.
std::string float_literal(double value);

// Text that may end before its value does: `append` appends nothing any more once `limit` bytes are reached, and the
// text then ends in "…".
class LimitedText {
 public:
  explicit LimitedText(size_t limit) : limit_(limit) {}

  // Pieces are not divided. False: the text is full, what was to come is left out.
  bool append(std::string_view piece);
  void cut();
  bool is_cut() const { return cut_; }
  std::string take() { return std::move(text_); }

 private:
  size_t limit_;
  std::string text_;
  bool cut_ = false;
};

// str and bytes with quotes and escapes. Characters that Python calls non-printable are escaped; those that Unicode 14
// does not know count as such. `complete`: that is the whole value, else it is cut after `text`.
void append_str_literal(LimitedText& out, std::u32string_view text, bool complete);
void append_bytes_literal(LimitedText& out, std::string_view bytes, bool complete);

}  // namespace pycroscope

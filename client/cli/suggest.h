// "Did you mean": for commands, formats and views that do not exist.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace pycroscope {

// The candidate that is closest to `word`, empty when none is close.
std::string_view closest(std::string_view word, std::span<const std::string_view> candidates);

// "there is no COMMAND 'atach'; did you mean 'attach'?" or "...; there are: a, b, c".
std::string unknown_name(std::string_view what, std::string_view word, std::span<const std::string_view> candidates);

}  // namespace pycroscope

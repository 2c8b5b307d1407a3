// What the standard streams are connected to, and writing to them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "analysis/model/result.h"

namespace pycroscope {

bool stdout_is_terminal();
bool stderr_is_terminal();
// Columns of the terminal at stdout, else stderr; COLUMNS wins; 0 when there is none: text is not cut.
size_t terminal_width();
// False with NO_COLOR set, TERM=dumb, or stdout not a terminal.
bool stdout_has_colour();
// Whether the locale's encoding is UTF-8.
bool locale_is_utf8();

std::string bold(std::string_view text);  // as it is where stdout has no colour

// Results. A reader that went away (`| head`) is no error: what follows is dropped. Fails when the disk is full.
Status print(std::string_view text);
// print(), then exit code 0.
Result<int> print_result(std::string_view text);
// True once print() has met a reader that went away: long outputs may stop.
bool output_closed();

// Progress, hints and warnings, to stderr; failures are ignored.
void hint(std::string_view text);
// A sentence of the service about what may be wrong, likewise; none when it is empty.
void caution(const std::string& sentence);
// The one sentence of a failure, to stderr: "pycroscoped: ...".
void complain(std::string_view sentence);

// A few lines at the bottom of the terminal at stderr, drawn again in place.
class LiveArea {
 public:
  LiveArea() = default;
  ~LiveArea() { clear(); }
  LiveArea(const LiveArea&) = delete;
  LiveArea& operator=(const LiveArea&) = delete;

  // `text`: whole lines, none wider than the terminal.
  void draw(std::string_view text);
  void clear();

 private:
  size_t lines_ = 0;
};

}  // namespace pycroscope

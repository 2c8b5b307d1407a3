#include "client/cli/terminal.h"

#include <fmt/format.h>
#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "client/cli/text.h"

namespace pycroscope {
namespace {

std::atomic<bool> closed = false;

// False with errno set when `fd` takes no more.
bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

bool is_dumb() {
  const char* term = std::getenv("TERM");
  return term == nullptr || std::string_view(term) == "dumb";
}

}  // namespace

bool stdout_is_terminal() { return ::isatty(STDOUT_FILENO) == 1; }
bool stderr_is_terminal() { return ::isatty(STDERR_FILENO) == 1 && !is_dumb(); }

size_t terminal_width() {
  if (const char* columns = std::getenv("COLUMNS")) {
    size_t width = 0;
    std::from_chars(columns, columns + std::strlen(columns), width);
    if (width > 0) return width;
  }
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
    winsize size{};
    if (::isatty(fd) == 1 && ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  }
  return 0;
}

bool stdout_has_colour() { return stdout_is_terminal() && !is_set("NO_COLOR") && !is_dumb(); }

bool locale_is_utf8() { return std::string_view(::nl_langinfo(CODESET)) == "UTF-8"; }

std::string bold(std::string_view text) {
  return stdout_has_colour() ? fmt::format("\x1b[1m{}\x1b[0m", text) : std::string(text);
}

Status print(std::string_view text) {
  if (closed || write_all(STDOUT_FILENO, text)) return {};
  if (errno == EPIPE) {
    closed = true;
    return {};
  }
  return fail(errno == ENOSPC ? ErrorCode::kNoSpace : ErrorCode::kFailed,
              fmt::format("cannot write to the standard output: {}", std::strerror(errno)));
}

Result<int> print_result(std::string_view text) {
  PYC_CHECK(print(text));
  return 0;
}

bool output_closed() { return closed; }

void hint(std::string_view text) { write_all(STDERR_FILENO, text); }

void caution(const std::string& sentence) {
  if (!sentence.empty()) hint(fmt::format("warning: {}\n", visible(sentence)));
}

void complain(std::string_view sentence) { hint(fmt::format("pycroscoped: {}\n", visible(sentence))); }

void LiveArea::draw(std::string_view text) {
  std::string out = lines_ > 0 ? fmt::format("\x1b[{}F", lines_) : "\r";
  for (const char c : text) {
    if (c == '\n') out += "\x1b[K";
    out += c;
  }
  out += "\x1b[J";
  hint(out);
  lines_ = static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

void LiveArea::clear() {
  if (lines_ > 0) hint(fmt::format("\x1b[{}F\x1b[J", lines_));
  lines_ = 0;
}

}  // namespace pycroscope

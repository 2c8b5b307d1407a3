#include "client/cli/top_screen.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

#define NCURSES_NOMACROS  // erase, move, filter, ... are also names of ours
#include <ncurses.h>

#include "client/cli/session_text.h"
#include "client/cli/terminal.h"
#include "client/cli/text.h"

namespace pycroscope {
namespace {

constexpr int kWaitMilliseconds = 100;
constexpr int kEscape = 27;
constexpr int kFirstRow = 3;

constexpr const char* kHelp[] = {
    "Keys",
    "  f l t    functions, lines, threads",
    "  s < >    sort by the next figure, the one before, the next",
    "  /        filter by part of a name or path; Enter ends, Esc clears",
    "  p space  hold the picture, go on",
    "  r        forget the sums and start again",
    "  q        quit; nothing is kept",
    "",
    "NOW is the last interval, the times are since the start or the last r.",
    "SELF is time in the function itself, TOTAL includes what it calls.",
    "",
    "Any key goes back.",
};

// ncurses shows UTF-8 only in such a locale.
std::string for_locale(const std::string& text) {
  if (locale_is_utf8()) return text;
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) result += c;
    if (byte >= 0xC0) result += '?';
  }
  return result;
}

}  // namespace

Result<std::unique_ptr<TopScreen>> TopScreen::create() {
  const char* term = std::getenv("TERM");
  SCREEN* terminal = ::newterm(nullptr, stdout, stdin);
  if (terminal == nullptr) {
    return fail(ErrorCode::kFailed, fmt::format("this terminal (TERM={}) cannot show a live table; `pycroscoped top "
                                                "--once` prints one",
                                                term == nullptr ? "" : term));
  }
  ::set_term(terminal);
  ::cbreak();
  ::noecho();
  ::keypad(stdscr, true);
  ::curs_set(0);
  ::set_escdelay(25);
  ::wtimeout(stdscr, kWaitMilliseconds);
  return std::unique_ptr<TopScreen>(new TopScreen(terminal));
}

TopScreen::~TopScreen() {
  ::endwin();
  ::delscreen(static_cast<SCREEN*>(terminal_));
}

TopScreen::Wish TopScreen::handle_key() {
  const int key = ::wgetch(stdscr);
  if (key == ERR || key == KEY_RESIZE) return Wish::kNone;
  if (editing_filter_) {
    edit_filter(key);
    return Wish::kNone;
  }
  if (help_) {
    help_ = false;
    return Wish::kNone;
  }
  return handle_command(key);
}

TopScreen::Wish TopScreen::handle_command(int key) {
  switch (key) {
    case 'q':
      return Wish::kQuit;
    case 'r':
      return Wish::kReset;
    case 'f':
      view_ = TopView::kFunctions;
      break;
    case 'l':
      view_ = TopView::kLines;
      break;
    case 't':
      view_ = TopView::kThreads;
      break;
    case 's':
    case '>':
      sort_ = next_top_sort(sort_, 1);
      break;
    case '<':
      sort_ = next_top_sort(sort_, -1);
      break;
    case 'p':
    case ' ':
      paused_ = !paused_;
      break;
    case '/':
      editing_filter_ = true;
      break;
    case kEscape:
      filter_.clear();
      break;
    case 'h':
    case '?':
      help_ = true;
      break;
    default:
      break;
  }
  return Wish::kNone;
}

void TopScreen::edit_filter(int key) {
  if (key == '\n' || key == KEY_ENTER) {
    editing_filter_ = false;
  } else if (key == kEscape) {
    editing_filter_ = false;
    filter_.clear();
  } else if (key == KEY_BACKSPACE || key == '\b' || key == 0x7F) {
    // Back to the first byte of the last character.
    while (!filter_.empty() && (static_cast<unsigned char>(filter_.back()) & 0xC0) == 0x80) filter_.pop_back();
    if (!filter_.empty()) filter_.pop_back();
  } else if (key >= ' ' && key <= 0xFF) {
    filter_ += static_cast<char>(key);
  }
}

void TopScreen::draw_line(int row, const std::string& text, bool strong) {
  if (row >= ::getmaxy(stdscr)) return;
  const std::string cut = for_locale(cut_end(text, static_cast<size_t>(::getmaxx(stdscr))));
  if (strong) ::wattr_on(stdscr, A_BOLD, nullptr);
  ::mvwaddstr(stdscr, row, 0, cut.c_str());
  if (strong) ::wattr_off(stdscr, A_BOLD, nullptr);
}

void TopScreen::draw_help() {
  int row = 0;
  for (const char* line : kHelp) {
    draw_line(row, line, row == 0);
    ++row;
  }
}

std::string TopScreen::status(const TopModel& model) const {
  const v1::Session& session = model.session();
  const double seconds = static_cast<double>(model.interval_ns()) / 1e9;
  const double rate = seconds > 0 ? static_cast<double>(model.interval_samples()) / seconds : 0;
  return fmt::format(
      "{}  {} Hz  {:.0f} samples/s  {}  own CPU {}", human_duration(session.duration_ns()), session.config().rate_hz(),
      rate, human_loss(session.loss()),
      human_share(static_cast<double>(session.recorder_cpu_ns()), static_cast<double>(session.duration_ns())));
}

std::string TopScreen::choices() const {
  const auto choice = [this](TopView view, const char* name) {
    return view == view_ ? fmt::format("[{}]", name) : fmt::format(" {} ", name);
  };
  std::string result = choice(TopView::kFunctions, "functions") + choice(TopView::kLines, "lines") +
                       choice(TopView::kThreads, "threads") + fmt::format("  by {}", top_sort_name(sort_));
  if (editing_filter_ || !filter_.empty()) result += fmt::format("  filter: {}{}", filter_, editing_filter_ ? "_" : "");
  return result + (paused_ ? "  PAUSED" : "") + "   h help  q quit";
}

void TopScreen::draw(const TopModel& model) {
  ::werase(stdscr);
  if (help_) {
    draw_help();
    ::wrefresh(stdscr);
    return;
  }
  const v1::Session& session = model.session();
  draw_line(0,
            visible(fmt::format("{}  CPython {}  {}", session.target().pid(), python_version(session),
                                joined_command(session.target()))),
            true);
  draw_line(1, status(model), false);
  draw_line(2, choices(), false);
  const Table table = model.table(view_, sort_, filter_);
  const int height = ::getmaxy(stdscr);
  int row = kFirstRow;
  for (const std::string& line : table.lines(static_cast<size_t>(::getmaxx(stdscr)))) {
    if (row >= height) break;
    draw_line(row, line, row == kFirstRow);
    ++row;
  }
  if (table.empty())
    draw_line(kFirstRow + 1, filter_.empty() ? "Nothing has run on a CPU yet." : "Nothing passes the filter.", false);
  ::wrefresh(stdscr);
}

}  // namespace pycroscope

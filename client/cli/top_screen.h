// The screen of `top`: draws a TopModel with ncurses and turns keys into what is shown.
#pragma once

#include <memory>
#include <string>

#include "analysis/model/result.h"
#include "client/cli/top_model.h"

namespace pycroscope {

// Owns the terminal from create() to its end, when the terminal is as it was before. One owner thread.
class TopScreen {
 public:
  // kFailed when the terminal cannot place text.
  static Result<std::unique_ptr<TopScreen>> create();
  ~TopScreen();
  TopScreen(const TopScreen&) = delete;
  TopScreen& operator=(const TopScreen&) = delete;

  // What the user wants apart from another look at the same figures.
  enum class Wish { kNone, kQuit, kReset };
  // Waits up to 100 ms for a key and acts on it.
  Wish handle_key();

  bool paused() const { return paused_; }
  void draw(const TopModel& model);

 private:
  explicit TopScreen(void* terminal) : terminal_(terminal) {}
  Wish handle_command(int key);
  void edit_filter(int key);
  void draw_line(int row, const std::string& text, bool strong);
  void draw_help();
  std::string status(const TopModel& model) const;
  std::string choices() const;

  void* terminal_;  // ncurses' SCREEN
  TopView view_ = TopView::kFunctions;
  TopSort sort_ = TopSort::kSelfNow;
  std::string filter_;
  bool editing_filter_ = false;
  bool paused_ = false;
  bool help_ = false;
};

}  // namespace pycroscope

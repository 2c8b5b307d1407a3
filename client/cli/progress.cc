#include "client/cli/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "client/cli/session_text.h"
#include "client/cli/text.h"
#include "client/cli/view_text.h"

namespace pycroscope {
namespace {

constexpr size_t kTopRows = 5;

// What the recorder itself used, of one CPU.
std::string own_cpu(const v1::Session& session) {
  return human_share(static_cast<double>(session.recorder_cpu_ns()), static_cast<double>(session.duration_ns()));
}

}  // namespace

void Progress::show(const v1::RecordingUpdate& update) {
  const v1::Session& session = update.session();
  const size_t width = std::max<size_t>(terminal_width(), 20) - 1;
  std::vector<std::string> lines;
  lines.push_back(fmt::format("Recording {} `{}`", session.target().pid(), visible(joined_command(session.target()))));
  const std::string elapsed = human_duration(session.duration_ns());
  lines.push_back(fmt::format("{}{}  {}  own CPU {}  Ctrl-C ends it", elapsed,
                              duration_ ? " of " + human_duration(duration_->count()) : "",
                              human_loss(session.loss(), recorded_unit(session)), own_cpu(session)));
  const Table table = update.has_top_functions() ? view_table(update.top_functions()) : Table({});
  if (!table.empty()) {
    std::vector<std::string> rows = table.lines(width);
    rows.resize(std::min(rows.size(), kTopRows + 1));
    lines.insert(lines.end(), rows.begin(), rows.end());
  }
  std::string text;
  for (const std::string& line : lines) text += cut_end(line, width) + "\n";
  area_.draw(text);
}

}  // namespace pycroscope

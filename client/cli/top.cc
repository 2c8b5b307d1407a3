#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>

#include <mutex>
#include <thread>

#include "client/cli/command_line.h"
#include "client/cli/options.h"
#include "client/cli/parse.h"
#include "client/cli/recording.h"
#include "client/cli/signals.h"
#include "client/cli/terminal.h"
#include "client/cli/text.h"
#include "client/cli/top_model.h"
#include "client/cli/top_screen.h"

namespace pycroscope {
namespace {

struct TopOptions {
  ServiceOptions service;
  RecordOptions record;
  bool subprocesses = false;
  std::chrono::nanoseconds interval = std::chrono::seconds(1);
  bool once = false;
};

// The recording runs on a thread of its own and leaves its figures here for the one that draws.
struct Shared {
  std::mutex mutex;
  TopModel model;          // guarded by mutex
  uint64_t updates = 0;    // guarded by mutex
  uint64_t intervals = 0;  // guarded by mutex
  bool live = false;       // guarded by mutex
  bool ended = false;      // guarded by mutex
};

void show_until_the_end(Shared& shared, RecordingClient& recording, TopScreen& screen) {
  TopModel shown;
  uint64_t seen = 0;
  while (true) {
    const TopScreen::Wish wish = screen.handle_key();
    if (wish == TopScreen::Wish::kQuit) recording.interrupt();
    {
      const std::lock_guard lock(shared.mutex);
      if (shared.ended) return;
      if (wish == TopScreen::Wish::kReset) shared.model.reset();
      if ((shared.updates != seen && !screen.paused()) || wish == TopScreen::Wish::kReset) {
        shown = shared.model;
        seen = shared.updates;
      }
    }
    screen.draw(shown);
  }
}

// Until `reached` is true of what there is; false when the recording ended before.
template <class Reached>
bool wait_until(Shared& shared, const Reached& reached) {
  while (true) {
    {
      const std::lock_guard lock(shared.mutex);
      if (reached()) return true;
      if (shared.ended) return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

void forget(const Connection& connection, const v1::Session& session) {
  v1::DeleteSessionsRequest request;
  request.add_sessions(session.id());
  const auto deleted = connection.call(&Connection::Api::DeleteSessions, request);
  if (!deleted) hint("warning: session " + session.id() + " stays behind: " + deleted.error().message + "\n");
}

Status print_once(const TopModel& model) {
  const Table table = model.table(TopView::kFunctions, TopSort::kSelfNow, "");
  const std::string losses = human_loss(model.session().loss());
  return print(table.empty() ? "nothing has run on a CPU\n" : table.text(terminal_width()) + "\n" + losses + "\n");
}

// The figures of the first interval.
Status show_once(Shared& shared, RecordingClient& recording) {
  if (!wait_until(shared, [&] { return shared.intervals > 0; })) return {};
  TopModel model;
  {
    const std::lock_guard lock(shared.mutex);
    model = shared.model;
  }
  recording.interrupt();
  return print_once(model);
}

Status show(const TopOptions& options, Shared& shared, RecordingClient& recording) {
  if (options.once) return show_once(shared, recording);
  if (!wait_until(shared, [&] { return shared.live; })) return {};
  const Result<std::unique_ptr<TopScreen>> screen = TopScreen::create();
  if (!screen) {
    recording.interrupt();
    return std::unexpected(screen.error());
  }
  show_until_the_end(shared, recording, **screen);
  return {};
}

v1::AttachRequest make_request(const TopOptions& options) {
  v1::AttachRequest request = make_attach_request(options.record);
  request.set_name(fmt::format("top-{}", options.record.pid));
  request.set_progress_top(true);
  request.mutable_config()->set_subprocesses(options.subprocesses);
  *request.mutable_progress_interval() =
      google::protobuf::util::TimeUtil::NanosecondsToDuration(options.interval.count());
  return request;
}

Result<int> run_top(const TopOptions& given) {
  TopOptions options = given;
  options.once = given.once || !stdout_is_terminal();
  PYC_CHECK(require_pid(options.record.pid, "top"));
  RecordingClient recording;
  Shared shared;
  const SignalWatch watch([&recording] { recording.interrupt(); });
  PYC_TRY(const Connection connection, Connection::open(options.service));
  Result<RecordingClient::Outcome> outcome;
  std::thread recorder([&] {
    outcome = recording.run(connection, make_request(options), [&](const v1::RecordingUpdate& update) {
      const std::lock_guard lock(shared.mutex);
      shared.live = true;
      shared.model.add(update);
      ++shared.updates;
      if (update.has_top_functions()) ++shared.intervals;
    });
    const std::lock_guard lock(shared.mutex);
    shared.ended = true;
  });
  const Status shown = show(options, shared, recording);
  recorder.join();
  if (outcome && !outcome->never_live) forget(connection, outcome->session);
  PYC_CHECK(shown);
  if (!outcome) return std::unexpected(outcome.error());
  if (outcome->never_live) return 128 + watch.received();
  return 0;
}

}  // namespace

void add_top(CommandLine& line) {
  auto [command, options] =
      add_command(line, line.app, "top",
                  "Show live where a Python process spends its time\n\n"
                  "Samples it as `attach` does, and keeps nothing. Keys: f functions, l lines, t threads, "
                  "s sort, / filter, p pause, r reset, h help, q quit.",
                  run_top);
  command->group("Look at running programs");
  add_pid(*command, options->record.pid);
  add_record_options(*command, options->record);
  command->add_flag("-s,--subprocesses", options->subprocesses, "Show the processes that it starts, too");
  add_value(*command, "--interval", options->interval, parse_duration, "TIME", "Between two pictures (default: 1s)");
  command->add_flag("--once", options->once, "Print one table and end, as is done without a terminal");
  add_service_options(*command, options->service);
  command->footer(R"(Examples:
  sudo pycroscoped top 1234
  sudo pycroscoped top -p 1234 -r 1000 --interval 500ms
  sudo pycroscoped top -p 1234 --once --interval 5s | head)");
}

}  // namespace pycroscope

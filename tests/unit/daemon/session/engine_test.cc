// The engine with real targets: Debian's Python, sampled by the real sampler.
#include "daemon/session/engine.h"

#include <google/protobuf/util/time_util.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <future>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/support/python_target.h"
#include "tests/unit/support/temporary_directory.h"

namespace pycroscope {
namespace {

using google::protobuf::util::TimeUtil;

const test::TestPython kPython{"debian", "/usr/bin/python3", ""};

const Cancelled kGoOn = [] { return false; };

constexpr char kBusy[] = R"(
def burn():
    print("ready", flush=True)
    while True:
        sum(range(1000))
burn()
)";

class EngineTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "sampling needs root";
    if (!kPython.is_there()) GTEST_SKIP() << kPython.executable << " is missing";
  }

  static v1::AttachRequest attach_to(pid_t pid) {
    v1::AttachRequest request;
    request.set_pid(pid);
    request.mutable_config()->set_rate_hz(1000);
    *request.mutable_progress_interval() = TimeUtil::MillisecondsToDuration(100);
    return request;
  }
  static v1::AttachRequest attach_for(pid_t pid, int64_t ms) {
    v1::AttachRequest request = attach_to(pid);
    *request.mutable_config()->mutable_duration() = TimeUtil::MillisecondsToDuration(ms);
    return request;
  }
  // The updates of an attach that runs to its end.
  Result<std::vector<v1::RecordingUpdate>> record(const v1::AttachRequest& request) {
    std::vector<v1::RecordingUpdate> updates;
    const auto keep = [&](const v1::RecordingUpdate& update) {
      updates.push_back(update);
      return true;
    };
    PYC_CHECK(engine_.attach(self_, request, keep, [] { return false; }));
    return updates;
  }
  ErrorCode refusal(const v1::AttachRequest& request) {
    const auto updates = record(request);
    EXPECT_FALSE(updates);
    EXPECT_TRUE(engine_.list_sessions(self_)->sessions().empty()) << "something was left behind";
    return updates ? ErrorCode::kMemory : updates.error().code;
  }
  v1::Session detached(pid_t pid, const std::string& name = "") {
    v1::AttachRequest request = attach_to(pid);
    request.set_detached(true);
    request.set_name(name);
    const auto updates = record(request);
    EXPECT_TRUE(updates) << updates.error().message;
    return updates && !updates->empty() ? updates->front().session() : v1::Session();
  }
  v1::View functions(const std::string& session) {
    v1::ViewRequest request;
    request.set_session(session);
    request.set_kind(v1::VIEW_KIND_FUNCTIONS);
    auto view = engine_.view(self_, request, kGoOn);
    EXPECT_TRUE(view) << view.error().message;
    return view.value_or(v1::View());
  }
  static bool names(const v1::View& view, const std::string& function) {
    const auto& strings = view.symbols().strings();
    return std::ranges::find(strings, function) != strings.end();
  }

  test::TemporaryDirectory directory_;
  Engine engine_{Store::open(directory_.path() / "store").value()};
  const Caller self_ = Caller::self();
};

TEST_F(EngineTest, RecordsForTheDurationAskedFor) {
  const std::string script = directory_ / "burning.py";
  std::ofstream(script)
      << "def burn_in_file():\n    while True:\n        sum(range(1000))\nprint('ready', flush=True)\nburn_in_file()\n";
  test::PythonTarget python(kPython, "import runpy; runpy.run_path('" + script + "', run_name='__main__')");
  ASSERT_TRUE(python.wait_until_ready());

  const auto updates = record(attach_for(python.pid(), 700));
  ASSERT_TRUE(updates) << updates.error().message;
  EXPECT_TRUE(updates->front().live());
  EXPECT_FALSE(updates->front().finished());
  EXPECT_TRUE(updates->back().finished());
  const v1::Session session = engine_.get_session(self_, "latest").value();
  EXPECT_EQ(session.state(), v1::SESSION_STATE_COMPLETE);
  EXPECT_EQ(session.end_reason(), "duration");
  EXPECT_GE(session.duration_ns(), 700'000'000);
  EXPECT_GT(session.samples(), 0U);
  EXPECT_EQ(session.loss().recorded(), session.samples());
  EXPECT_GE(session.first_sample_ns(), 0);
  EXPECT_GT(session.recorder_cpu_ns(), 0);
  EXPECT_EQ(session.target().pid(), python.pid());
  EXPECT_EQ(session.target().command(0), kPython.executable);
  EXPECT_TRUE(session.target().interpreter().version().starts_with("3."));
  EXPECT_GT(session.host().cpus(), 0U);

  const v1::View view = functions(session.id());
  ASSERT_TRUE(names(view, "burn_in_file"));
  // Its file is among the sources.
  const auto& files = view.symbols().files();
  bool stored = false;
  for (int i = 0; i < files.path_size(); ++i) {
    if (view.symbols().strings(static_cast<int>(files.path(i))) != script) continue;
    v1::GetSourceRequest request;
    request.set_session(session.id());
    request.set_content_hash(files.content_hash(i));
    const auto source = engine_.source(self_, request);
    ASSERT_TRUE(source) << source.error().message;
    stored = source->find("def burn_in_file") != std::string::npos;
  }
  EXPECT_TRUE(stored);
}

TEST_F(EngineTest, TellsWhatItSeesOnTheWay) {
  test::PythonTarget python(kPython, kBusy);
  ASSERT_TRUE(python.wait_until_ready());
  v1::AttachRequest request = attach_for(python.pid(), 600);
  request.set_progress_top(true);
  const auto updates = record(request);
  ASSERT_TRUE(updates) << updates.error().message;
  ASSERT_GE(updates->size(), 3U);
  const v1::RecordingUpdate& middle = (*updates)[updates->size() / 2];
  EXPECT_TRUE(names(middle.top_functions(), "burn"));
  EXPECT_GT(middle.top_lines().lines().line_size(), 0);
  EXPECT_EQ(middle.top_threads().threads().thread_size(), 1);
}

TEST_F(EngineTest, TargetsEndIsANormalEnd) {
  test::PythonTarget python(kPython, R"(
import sys, threading
def burn():
    while not done:
        sum(range(1000))
done = False
thread = threading.Thread(target=burn)
thread.start()
print("ready", flush=True)
sys.stdin.readline()
done = True
)");
  ASSERT_TRUE(python.wait_until_ready());
  auto updates = std::async(std::launch::async, [&] { return record(attach_to(python.pid())); });
  while (engine_.list_sessions(self_)->sessions().empty() || engine_.get_session(self_, "latest")->samples() == 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ASSERT_TRUE(python.write_line("end"));
  const auto result = updates.get();
  ASSERT_TRUE(result) << result.error().message;
  const v1::Session& session = result->back().session();
  EXPECT_EQ(session.state(), v1::SESSION_STATE_COMPLETE);
  EXPECT_EQ(session.end_reason(), "target exited");
  EXPECT_GT(session.samples(), 0U);
  EXPECT_TRUE(names(functions(session.id()), "burn"));
}

TEST_F(EngineTest, ClientThatGoesAwayLeavesItsSession) {
  test::PythonTarget python(kPython, kBusy);
  ASSERT_TRUE(python.wait_until_ready());
  int updates = 0;
  const Status status = engine_.attach(
      self_, attach_to(python.pid()), [&](const v1::RecordingUpdate&) { return ++updates < 3; }, [] { return false; });
  EXPECT_TRUE(status);
  const v1::Session session = engine_.get_session(self_, "latest").value();
  EXPECT_EQ(session.state(), v1::SESSION_STATE_COMPLETE);
  EXPECT_EQ(session.end_reason(), "stopped");
  EXPECT_GT(session.samples(), 0U);
}

TEST_F(EngineTest, CancelledBeforeItIsLiveLeavesNothing) {
  test::PythonTarget python(kPython, kBusy);
  ASSERT_TRUE(python.wait_until_ready());
  bool said_live = false;
  const Status status = engine_.attach(
      self_, attach_to(python.pid()), [&](const v1::RecordingUpdate&) { return said_live = true; },
      [] { return true; });
  EXPECT_FALSE(status);
  EXPECT_FALSE(said_live);
  EXPECT_TRUE(engine_.list_sessions(self_)->sessions().empty());
}

TEST_F(EngineTest, RefusesWhatCannotBeRecorded) {
  EXPECT_EQ(refusal(attach_to(0x3fffffff)), ErrorCode::kTargetGone);
  EXPECT_EQ(refusal(attach_to(-1)), ErrorCode::kTargetGone);
  test::PythonTarget shell({"", "/bin/sh", ""}, "echo ready; read line");
  ASSERT_TRUE(shell.wait_until_ready());
  EXPECT_EQ(refusal(attach_to(shell.pid())), ErrorCode::kFailed);
}

TEST_F(EngineTest, RefusesImpossibleSettings) {
  const auto refused = [&](auto change) {
    v1::AttachRequest request = attach_to(::getpid());
    change(*request.mutable_config());
    return refusal(request) == ErrorCode::kInvalid;
  };
  EXPECT_TRUE(refused([](v1::RecordingConfig& c) { c.set_rate_hz(-1); }));
  EXPECT_TRUE(refused([](v1::RecordingConfig& c) { c.set_rate_hz(10'001); }));
  EXPECT_TRUE(refused([](v1::RecordingConfig& c) { c.set_rate_hz(std::numeric_limits<double>::quiet_NaN()); }));
  EXPECT_TRUE(refused([](v1::RecordingConfig& c) { c.mutable_duration(); }));
  EXPECT_TRUE(refused([](v1::RecordingConfig& c) { c.set_sampler("ptrace"); }));
}

TEST_F(EngineTest, DetachedRecordingIsStoppedByName) {
  test::PythonTarget python(kPython, kBusy);
  ASSERT_TRUE(python.wait_until_ready());
  const v1::Session session = detached(python.pid(), "mine");
  ASSERT_FALSE(session.id().empty());

  v1::DeleteSessionsRequest remove;
  remove.add_sessions(session.id());
  EXPECT_FALSE(engine_.delete_sessions(self_, remove)) << "it is being recorded";
  const auto processes = engine_.list_processes(self_).value();
  const auto row = std::ranges::find(processes.processes(), python.pid(), &v1::PythonProcess::pid);
  ASSERT_NE(row, processes.processes().end());
  EXPECT_EQ(row->recording(), session.id());
  EXPECT_EQ(row->refused(), "");

  const auto stopped = engine_.stop_recording(self_, "mine");
  ASSERT_TRUE(stopped) << stopped.error().message;
  EXPECT_EQ(stopped->id(), session.id());
  EXPECT_EQ(stopped->state(), v1::SESSION_STATE_COMPLETE);
  EXPECT_TRUE(engine_.stop_recording(self_, session.id())) << "once more is no error";
  EXPECT_TRUE(engine_.delete_sessions(self_, remove));
}

TEST_F(EngineTest, WatchersSeeTheEnd) {
  test::PythonTarget python(kPython, kBusy);
  ASSERT_TRUE(python.wait_until_ready());
  const std::string id = detached(python.pid()).id();
  v1::WatchRecordingRequest request;
  request.set_session(id);
  bool finished = false;
  auto watcher = std::async(std::launch::async, [&] {
    return engine_.watch_recording(
        self_, request, [&](const v1::RecordingUpdate& update) { return (finished = update.finished(), true); },
        [] { return false; });
  });
  ASSERT_TRUE(engine_.stop_recording(self_, id));
  EXPECT_TRUE(watcher.get());
  EXPECT_TRUE(finished);
}

TEST_F(EngineTest, SessionsOfOthersAreNotThere) {
  test::PythonTarget python(kPython, kBusy);
  ASSERT_TRUE(python.wait_until_ready());
  const std::string id = detached(python.pid()).id();
  Caller other = self_;
  other.uid = other.gid = 1001;
  other.session_owner = {1001, 1001};
  EXPECT_TRUE(engine_.list_sessions(other)->sessions().empty());
  EXPECT_EQ(engine_.get_session(other, id).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(engine_.stop_recording(other, id).error().code, ErrorCode::kNotFound);
  v1::DumpRequest dump;
  dump.set_pid(python.pid());
  EXPECT_EQ(engine_.dump(other, dump).error().code, ErrorCode::kNotPermitted);
  EXPECT_TRUE(engine_.stop_recording(self_, id));
}

TEST_F(EngineTest, PagesOfEventsAddUp) {
  test::PythonTarget python(kPython, kBusy);
  ASSERT_TRUE(python.wait_until_ready());
  ASSERT_TRUE(record(attach_for(python.pid(), 500)));
  v1::ListEventsRequest request;
  request.set_page_size(64);
  uint64_t samples = 0;
  do {
    const auto page = engine_.events(self_, request, kGoOn);
    ASSERT_TRUE(page) << page.error().message;
    EXPECT_LE(page->time_ns_size(), 64);
    EXPECT_EQ(page->time_ns_size(), page->stack_size());
    for (const uint32_t stack : page->stack()) EXPECT_LT(stack, static_cast<uint32_t>(page->stack_parent_size()));
    samples += static_cast<uint64_t>(page->time_ns_size());
    request.set_cursor(page->next_cursor());
  } while (!request.cursor().empty());
  EXPECT_EQ(samples, engine_.get_session(self_, "latest")->samples());
  request.set_cursor("x");
  EXPECT_EQ(engine_.events(self_, request, kGoOn).error().code, ErrorCode::kInvalid);
}

TEST_F(EngineTest, DumpsStacks) {
  test::PythonTarget python(kPython, kBusy);
  ASSERT_TRUE(python.wait_until_ready());
  v1::DumpRequest request;
  request.set_pid(python.pid());
  const auto dump = engine_.dump(self_, request);
  ASSERT_TRUE(dump) << dump.error().message;
  ASSERT_EQ(dump->threads_size(), 1);
  EXPECT_EQ(dump->threads(0).frames(0).function(), "burn");
}

TEST_F(EngineTest, DiagnosesMachineAndTarget) {
  test::PythonTarget python(kPython, kBusy);
  ASSERT_TRUE(python.wait_until_ready());
  v1::DiagnoseRequest request;
  request.set_pid(python.pid());
  const auto diagnosis = engine_.diagnose(self_, request).value();
  for (const char* name : {"kernel", "bpf", "ringbuf", "CAP_BPF", "store", "permission", "python"}) {
    const auto check = std::ranges::find(diagnosis.checks(), name, &v1::Check::name);
    ASSERT_NE(check, diagnosis.checks().end()) << name;
    EXPECT_EQ(check->outcome(), v1::Check::OUTCOME_OK) << check->finding();
  }
}

}  // namespace
}  // namespace pycroscope

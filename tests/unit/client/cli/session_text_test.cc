#include "client/cli/session_text.h"

#include <gtest/gtest.h>

#include "analysis/model/loss.h"

namespace pycroscope {
namespace {

v1::Session session() {
  v1::Session session;
  session.set_id("7k2f");
  session.set_name("web");
  session.set_state(v1::SESSION_STATE_COMPLETE);
  session.set_end_reason("duration");
  session.set_duration_ns(12'300'000'000);
  session.set_samples(1'230);
  session.mutable_started_at()->set_seconds(1'700'000'000);
  session.set_first_sample_ns(-1);
  session.mutable_loss()->set_recorded(1'230);
  add_loss(*session.mutable_loss(), v1::LOSS_REASON_LATE_TICK, 3);
  v1::Target& target = *session.mutable_target();
  target.set_pid(42);
  target.add_command("python3");
  target.add_command("app.py");
  target.mutable_interpreter()->set_version("3.11.2");
  (*target.mutable_environment())["PYTHONPATH"] = "/srv";
  (*target.mutable_environment())["LANG"] = "C";
  target.add_environment_names("SECRET");
  session.mutable_config()->set_mode(v1::SAMPLE_MODE_CPU);
  session.mutable_config()->set_rate_hz(100);
  return session;
}

TEST(SessionText, OneLine) {
  EXPECT_EQ(session_line(session()),
            "Session 7k2f (web): 12.3 s of `python3 app.py`, process 42, CPython 3.11.2, "
            "CPU time at 100 Hz");
  v1::Session bare;
  bare.set_id("1");
  bare.mutable_config()->set_mode(v1::SAMPLE_MODE_WALL);
  EXPECT_EQ(session_line(bare), "Session 1: 0 s of ``, process 0, wall at 0 Hz");
}

TEST(SessionText, DetailsLeaveOutWhatIsNotKnown) {
  const std::string text = session_details(session());
  for (const char* fact : {"id           7k2f\n", "state        complete (duration)\n", "command      python3 app.py\n",
                           "environment  LANG=C\nenvironment  PYTHONPATH=/srv\n", "also set     SECRET\n",
                           "first sample after -\n", "sampling     cpu mode, 100 Hz"})
    EXPECT_NE(text.find(fact), std::string::npos) << fact << text;
  EXPECT_EQ(text.find("directory"), std::string::npos) << text;
}

TEST(SessionText, FailuresSayWhy) {
  v1::Session failed = session();
  failed.set_state(v1::SESSION_STATE_FAILED);
  failed.set_end_reason("");
  failed.set_failure("the disk was full");
  EXPECT_NE(session_details(failed).find("state        failed: the disk was full\n"), std::string::npos);
}

TEST(SessionText, HostileNamesStayText) {
  v1::Session hostile = session();
  hostile.set_name("\x1b[2J");
  hostile.mutable_target()->set_command(1, "a\nstate forged");
  EXPECT_EQ(session_line(hostile).find('\x1b'), std::string::npos);
  EXPECT_EQ(session_details(hostile).find("\nstate forged"), std::string::npos);
}

TEST(SessionText, RowsHaveTheKeysThatScriptsRelyOn) {
  EXPECT_EQ(session_row_json(session()),
            R"({"id": "7k2f", "name": "web", "state": "complete", "pid": 42, "command": "python3 app.py", )"
            R"("python": "3.11.2", "started_at": "2023-11-14T22:13:20Z", "duration_ns": 12300000000, "events": 0, )"
            R"("samples": 1230, "bytes": 0, "lost": 3, "shared_with": null})");
  v1::Session unnamed = session();
  unnamed.clear_name();
  unnamed.mutable_target()->clear_interpreter();
  EXPECT_NE(session_row_json(unnamed).find(R"("name": null)"), std::string::npos);
  EXPECT_NE(session_row_json(unnamed).find(R"("python": null)"), std::string::npos);
  EXPECT_NE(session_json(unnamed).find(R"("first_sample_ns": null)"), std::string::npos);
}

}  // namespace
}  // namespace pycroscope

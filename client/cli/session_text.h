// What is said of a session, for people and as JSON.
#pragma once

#include <string>
#include <string_view>

#include "pycroscope/v1/session.pb.h"

namespace pycroscope {

// Arguments joined by spaces.
std::string joined_command(const v1::Target& target);
// "3.11.2".
std::string python_version(const v1::Session& session);
// In local time: "2026-11-25 14:03:11".
std::string local_time(const google::protobuf::Timestamp& time);

// "Session 7k2f (web): 10.0 s of `python app.py`, process 1234, CPython 3.11.2, CPU time at 100 Hz".
std::string session_line(const v1::Session& session);
// Everything, a line a fact.
std::string session_details(const v1::Session& session);

// A row of `sessions list --json`, and everything of `sessions show --json` (the same keys and more).
std::string session_row_json(const v1::Session& session);
std::string session_json(const v1::Session& session);

}  // namespace pycroscope

// What a session says of its target.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "analysis/model/result.h"
#include "daemon/python/interpreter.h"
#include "daemon/target/process.h"
#include "pycroscope/v1/session.pb.h"

namespace pycroscope {

// Everything of v1::Target; `python` null: not known (yet). What cannot be read of it stays empty; kTargetGone when the
// process has ended.
Result<v1::Target> describe_target(const Process& process, const PythonRuntime* python);

// Splits "NAME=value" strings: values of the names on the allow-list (PYTHON*, VIRTUAL_ENV, LANG, CI), names of all
// others, sorted.
void add_environment(const std::vector<std::string>& environment, v1::Target& target);

// The id of the container that a control group is of, or the name where people gave it one; empty: of none.
std::string container_of(std::string_view cgroup);

// The command line as people type it: arguments joined by spaces.
std::string command_text(const v1::Target& target);

}  // namespace pycroscope

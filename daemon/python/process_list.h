// Which processes of this machine run Python.
#pragma once

#include <string>
#include <vector>

#include "analysis/model/result.h"
#include "daemon/python/interpreter.h"
#include "daemon/target/process.h"

namespace pycroscope {

struct PythonProcess {
  Process process;
  PythonVersion version;
};

// Every Python process that we may look into, by ascending pid; the others are left out silently. Meant to be quick
// with hundreds of processes: most are told by their files' names. Fails when /proc cannot be read.
Result<std::vector<PythonProcess>> list_python_processes();

}  // namespace pycroscope

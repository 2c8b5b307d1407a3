// Where CPython's exported data is in a target.
#pragma once

#include <string>

#include "analysis/model/result.h"
#include "daemon/target/modules.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

struct PythonSymbols {
  std::string module;       // path of the module that has them, as the target sees it
  std::string program;      // file name of the target's executable
  RemoteAddress runtime;    // _PyRuntime; null: CPython older than 3.7
  RemoteAddress version;    // Py_Version; null: older than 3.11
  RemoteAddress code_type;  // PyCode_Type

  bool is_python() const { return runtime || code_type; }
};

// Looks in the modules' images in memory; of the executable and modules called *python*, also in the files. Nothing
// found is not an error. Fails with kTargetGone, kNotPermitted, kFailed.
Result<PythonSymbols> find_python_symbols(const TargetModules& modules, const TargetMemory& memory);

}  // namespace pycroscope

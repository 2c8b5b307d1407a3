// Finding the CPython runtime in a target.
#pragma once

#include <cstdint>
#include <string>

#include "analysis/model/result.h"
#include "bpf/include/python_layout.h"
#include "daemon/target/modules.h"
#include "daemon/target/process.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

struct PythonRuntime {
  std::string version;         // "3.11.2"
  std::string runtime_module;  // path of the module with _PyRuntime, as the target sees it
  RemoteAddress runtime;       // &_PyRuntime
  RemoteAddress code_type;     // &PyCode_Type, null when it could not be found
  pyc_layout layout{};
  pyc_tasks tasks{};    // where its asyncio has its tasks, see task_finder.h; of type 0: not known (yet)
  std::string caution;  // see caution_about() in layouts.h
};

// Fails with a sentence that says which of these it is: not Python, an unsupported version (and which), a runtime
// that is still starting or already finalizing, not readable.
Result<PythonRuntime> find_python(const TargetModules& modules, const TargetMemory& memory);
// The same in a live process, which gets a moment when it is just starting.
Result<PythonRuntime> find_python(const Process& process, const TargetMemory& memory);

struct PythonVersion {
  std::string text;     // "3.11.2"; of versions that are not supported at least what is known: "2.7", "older than 3.8"
  std::string caution;  // see caution_about() in layouts.h
};

// As above but cheap enough for a list of all processes: which version runs there, if any. Does not need the runtime
// to be initialized.
Result<PythonVersion> python_version(const Process& process, const TargetMemory& memory);

}  // namespace pycroscope

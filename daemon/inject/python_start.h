// The moment at which a program's Python is ready and has executed nothing of the program yet.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "analysis/model/result.h"
#include "daemon/os/exec_watch.h"
#include "daemon/os/remote_thread.h"
#include "daemon/target/process.h"

namespace pycroscope {

// Follows a process through the programs that it executes until one has made a Python, be it the interpreter itself or
// what embeds it: where Py_InitializeFromConfig returns, or Py_RunMain begins. One owner thread.
class PythonStart {
 public:
  // `may_watch` is asked before anything of another program has run. kTargetGone, kNotPermitted, kFailed.
  static Result<PythonStart> watch(std::shared_ptr<const Process> process,
                                   std::function<Status(const Process&)> may_watch);

  // The main thread, which stands there and holds the GIL; nothing yet. To be called every few milliseconds.
  // kTargetGone when the process has ended.
  Result<std::optional<RemoteThread>> poll();

 private:
  PythonStart(std::shared_ptr<const Process> process, std::function<Status(const Process&)> may_watch, ExecWatch watch);
  Status begin_program();
  // Null where there is none.
  uint64_t find(std::string_view function) const;
  Status run_to_python();
  Status go_on_from(uint64_t place);

  std::shared_ptr<const Process> process_;
  std::function<Status(const Process&)> may_watch_;
  ExecWatch watch_;
  uint64_t entry_ = 0;  // where the program begins: its libraries are there then
  uint64_t initialize_ = 0, main_ = 0;
};

}  // namespace pycroscope

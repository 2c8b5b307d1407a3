// Exact stacks, of a process that is stopped meanwhile or of a core file.
#pragma once

#include "analysis/model/result.h"
#include "daemon/target/core_file.h"
#include "daemon/target/process.h"
#include "pycroscope/v1/service.pb.h"

namespace pycroscope {

struct DumpOptions {
  bool locals = false;
};

// Stops all threads of `process` by ptrace, reads, lets them go. Fails with kNotPermitted when ptrace is refused.
Result<v1::DumpResponse> dump_stacks(const Process& process, const DumpOptions& options);

// The same of the process that a core file is of. `executable`: its program's file on this machine, empty: where the
// core file says. What is missing is said in the response's problems, or, when nothing could be read, is the failure.
Result<v1::DumpResponse> dump_core(const CoreFile& core, const std::string& executable, const DumpOptions& options);

}  // namespace pycroscope

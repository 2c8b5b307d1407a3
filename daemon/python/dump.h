// Exact stacks of a process, read while it is stopped.
#pragma once

#include "analysis/model/result.h"
#include "daemon/python/interpreter.h"
#include "daemon/target/process.h"
#include "pycroscope/v1/service.pb.h"

namespace pycroscope {

struct DumpOptions {
  bool locals = false;
};

// Stops all threads of `process` by ptrace, reads, lets them go. Fails with kNotPermitted when ptrace is refused.
Result<v1::DumpResponse> dump_stacks(const Process& process, const DumpOptions& options);

}  // namespace pycroscope

// Why a thread cannot be traced, in a sentence that says what to do.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "analysis/model/result.h"

namespace pycroscope {

// The value of a "Key:\tvalue" line of a thread's status file; empty when there is none.
std::string task_status(pid_t pid, pid_t tid, std::string_view key);

// Whether it is a zombie or no more.
bool has_ended(pid_t pid, pid_t tid);

// PTRACE_SEIZE did not work: kTargetGone, kFailed (another tracer, which the sentence names) or kNotPermitted.
Error seize_failure(pid_t pid, pid_t tid);

}  // namespace pycroscope

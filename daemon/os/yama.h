// Yama's limits on who may look into which processes (Documentation/admin-guide/LSM/Yama.rst).
#pragma once

#include <optional>
#include <string_view>

namespace pycroscope {

// kernel.yama.ptrace_scope; nothing: there is no Yama here.
std::optional<int> ptrace_scope();

// What keeps a process without CAP_SYS_PTRACE, or with it (`privileged`), from looking into others of its user, and
// what to do about it: words that follow a colon. Empty: this scope does not.
std::string_view ptrace_scope_limit(int scope, bool privileged);

}  // namespace pycroscope

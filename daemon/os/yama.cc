#include "daemon/os/yama.h"

#include <cstdio>
#include <memory>

namespace pycroscope {

std::optional<int> ptrace_scope() {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen("/proc/sys/kernel/yama/ptrace_scope", "re"), std::fclose);
  int scope = 0;
  if (!file || std::fscanf(file.get(), "%d", &scope) != 1) return std::nullopt;
  return scope;
}

std::string_view ptrace_scope_limit(int scope, bool privileged) {
  if (scope >= 3)
    return "kernel.yama.ptrace_scope is 3, with which nobody may look into a process: boot with a lower one";
  if (privileged || scope <= 0) return "";
  if (scope == 2)
    return "kernel.yama.ptrace_scope is 2, with which only root may look into a process: run it with sudo";
  return "kernel.yama.ptrace_scope is 1, with which only root and its own parent may look into a process: run it with "
         "sudo, start the program with `pycroscoped run`, or allow it with `sudo sysctl kernel.yama.ptrace_scope=0`";
}

}  // namespace pycroscope

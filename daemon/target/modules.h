// The ELF modules of a process: its executable and shared objects.
#pragma once

#include <string>
#include <vector>

#include "analysis/model/result.h"
#include "daemon/os/fd.h"
#include "daemon/target/maps.h"
#include "daemon/target/process.h"

namespace pycroscope {

struct Module {
  MapEntry header;             // the mapping of its first page
  bool is_executable = false;  // the program's own file

  const std::string& path() const { return header.path; }
  std::string file_name() const { return header.path.substr(header.path.rfind('/') + 1); }
};

// Modules of which some part is executable, the program's own first, the others by address. `executable`: the target of
// /proc/PID/exe.
std::vector<Module> find_modules(const std::vector<MapEntry>& maps, const std::string& executable);

// The very file that is mapped, also when it was deleted or replaced if the kernel lets us (CAP_SYS_ADMIN or
// CAP_CHECKPOINT_RESTORE; the executable: always); otherwise by its path in the target's root, if that is still the
// same file.
Result<Fd> open_module(const Process& process, const Module& module);

}  // namespace pycroscope

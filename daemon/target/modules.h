// The ELF modules of a target: its executable and shared objects.
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

// What is mapped in one target, alive or in a core file.
class TargetModules {
 public:
  virtual ~TargetModules() = default;

  // For sentences: "process 123".
  virtual std::string target_name() const = 0;
  // The path of the executable as the target saw it.
  virtual Result<std::string> executable() const = 0;
  // As find_modules() gives them.
  virtual Result<std::vector<Module>> list() const = 0;
  // The very file that is mapped, not another one that has its name now. kNotFound when it is no longer there.
  virtual Result<Fd> open(const Module& module) const = 0;
};

class LiveModules final : public TargetModules {
 public:
  // `process` must outlive the object.
  explicit LiveModules(const Process& process) : process_(process) {}

  std::string target_name() const override;
  Result<std::string> executable() const override { return process_.executable(); }
  Result<std::vector<Module>> list() const override;
  // Also when it was deleted or replaced if the kernel lets us (CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE; the
  // executable: always); otherwise by its path in the target's root.
  Result<Fd> open(const Module& module) const override;

 private:
  const Process& process_;
};

}  // namespace pycroscope

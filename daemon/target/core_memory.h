// The memory of a process as a core file has it, completed by the files that were mapped.
#pragma once

#include "daemon/target/core_file.h"
#include "daemon/target/core_modules.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

// Any thread may use it.
class CoreMemory final : public TargetMemory {
 public:
  // Both must outlive the object.
  CoreMemory(const CoreFile& core, const CoreModules& modules) : core_(core), modules_(modules) {}

  // What the process may have written is taken from the core file only; kMemory also when it comes from a file that is
  // not here, see CoreModules::problems().
  Status read_bytes(RemoteAddress address, std::span<std::byte> out) const override;

 private:
  // Reads the beginning of `out` and says how much.
  Result<size_t> read_some(RemoteAddress address, std::span<std::byte> out) const;

  const CoreFile& core_;
  const CoreModules& modules_;
};

}  // namespace pycroscope

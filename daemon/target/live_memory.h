// The memory of a live process, read without stopping it (process_vm_readv).
#pragma once

#include <sys/types.h>

#include "daemon/target/target_memory.h"

namespace pycroscope {

// Any thread may use it. Reads name the process by pid: whoever keeps one for long checks Process::alive() as well.
class LiveMemory final : public TargetMemory {
 public:
  explicit LiveMemory(pid_t pid) : pid_(pid) {}

  // kMemory: (part of) the range is not mapped or not readable; kTargetGone: no such process; kNotPermitted: the kernel
  // does not let us read this process.
  Status read_bytes(RemoteAddress address, std::span<std::byte> out) const override;
  // One system call for up to IOV_MAX ranges.
  Status read_ranges(std::span<const Range> ranges) const override;

 private:
  pid_t pid_;
};

}  // namespace pycroscope

// A file as memory: its first byte is at address 0.
#pragma once

#include <utility>

#include "daemon/os/fd.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

// Any thread may use it.
class FileMemory final : public TargetMemory {
 public:
  explicit FileMemory(Fd file) : file_(std::move(file)) {}

  // kMemory: beyond the end of the file, or not readable.
  Status read_bytes(RemoteAddress address, std::span<std::byte> out) const override;

  Fd take() && { return std::move(file_); }

 private:
  Fd file_;
};

}  // namespace pycroscope

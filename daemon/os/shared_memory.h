// Memory that another process can map as well, through its descriptor.
#pragma once

#include <cstddef>
#include <span>

#include "analysis/model/result.h"
#include "daemon/os/fd.h"

namespace pycroscope {

class SharedMemory {
 public:
  // `size` bytes of zeros; `name` shows in /proc. Its size cannot be changed any more, by nobody. kNoSpace without
  // room.
  static Result<SharedMemory> create(const char* name, size_t size);
  // The same of a memfd that is new and empty, made with MFD_ALLOW_SEALING, perhaps by another process. kFailed: it is
  // none.
  static Result<SharedMemory> of(Fd memfd, size_t size);
  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&& other) noexcept;
  ~SharedMemory();

  std::span<std::byte> bytes() const { return bytes_; }
  int fd() const { return fd_.get(); }

 private:
  SharedMemory(Fd fd, std::span<std::byte> bytes) : fd_(std::move(fd)), bytes_(bytes) {}
  Fd fd_;
  std::span<std::byte> bytes_;
};

}  // namespace pycroscope

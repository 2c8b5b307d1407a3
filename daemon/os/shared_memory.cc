#include "daemon/os/shared_memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "daemon/os/file.h"

namespace pycroscope {

Result<SharedMemory> SharedMemory::create(const char* name, size_t size) {
  Fd fd(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return fail(ErrorCode::kNoSpace, fmt::format("no memory to be shared: {}", errno_text(errno)));
  return of(std::move(fd), size);
}

Result<SharedMemory> SharedMemory::of(Fd memfd, size_t size) {
  if (::fcntl(memfd.get(), F_GET_SEALS) != 0)
    return fail(ErrorCode::kFailed, "what is to be shared is no memory of its own");
  // A writer that made it shorter would end who reads it with SIGBUS.
  if (::ftruncate(memfd.get(), static_cast<off_t>(size)) != 0 ||
      ::fcntl(memfd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    return fail(ErrorCode::kNoSpace, fmt::format("no memory for {} bytes to be shared: {}", size, errno_text(errno)));
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd.get(), 0);
  if (memory == MAP_FAILED)
    return fail(ErrorCode::kNoSpace, fmt::format("cannot map {} bytes of shared memory: {}", size, errno_text(errno)));
  return SharedMemory(std::move(memfd), {static_cast<std::byte*>(memory), size});
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : fd_(std::move(other.fd_)), bytes_(std::exchange(other.bytes_, {})) {}

SharedMemory& SharedMemory::operator=(SharedMemory&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

SharedMemory::~SharedMemory() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

}  // namespace pycroscope

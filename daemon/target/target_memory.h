// Reading the memory of a target: a live process, something captured earlier, or a fake. What comes out is hostile:
// sizes are bounded by the caller, and a failed read is an error, never zero.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include "analysis/model/result.h"
#include "daemon/target/remote_ptr.h"

namespace pycroscope {

class TargetMemory {
 public:
  virtual ~TargetMemory() = default;

  // Fills all of `out` or fails with kMemory (kTargetGone when the process is no more). Any thread may call.
  virtual Status read_bytes(RemoteAddress address, std::span<std::byte> out) const = 0;

  // Several ranges at once (one system call in the live implementation); fails if any of them fails.
  struct Range {
    RemoteAddress address;
    std::span<std::byte> out;
  };
  virtual Status read_ranges(std::span<const Range> ranges) const;  // default: one by one

  template <class T>
  Result<T> read(RemoteAddress address) const {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    PYC_CHECK(read_bytes(address, std::as_writable_bytes(std::span(&value, 1))));
    return value;
  }
  Result<RemoteAddress> read_pointer(RemoteAddress address) const {
    PYC_TRY(uint64_t value, read<uint64_t>(address));
    return RemoteAddress(value);
  }
};

// Ranges of bytes at addresses: what a kernel record captured, or a test's fake.
class CapturedMemory final : public TargetMemory {
 public:
  // Ranges may touch but not overlap. The bytes are copied.
  void add(RemoteAddress address, std::span<const std::byte> bytes);
  Status read_bytes(RemoteAddress address, std::span<std::byte> out) const override;

 private:
  struct Captured {
    RemoteAddress address;
    std::vector<std::byte> bytes;
  };
  std::vector<Captured> ranges_;  // sorted by address
};

}  // namespace pycroscope

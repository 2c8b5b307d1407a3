// An address in the target. It cannot be dereferenced: all reads go through TargetMemory.
#pragma once

#include <compare>
#include <cstdint>

namespace pycroscope {

template <class T = void>
class RemotePtr {
 public:
  constexpr RemotePtr() = default;
  constexpr explicit RemotePtr(uint64_t address) : address_(address) {}

  constexpr uint64_t address() const { return address_; }
  constexpr explicit operator bool() const { return address_ != 0; }
  constexpr RemotePtr operator+(uint64_t bytes) const { return RemotePtr(address_ + bytes); }
  constexpr RemotePtr operator-(uint64_t bytes) const { return RemotePtr(address_ - bytes); }
  template <class U>
  constexpr RemotePtr<U> as() const {
    return RemotePtr<U>(address_);
  }
  constexpr auto operator<=>(const RemotePtr&) const = default;

 private:
  uint64_t address_ = 0;
};

using RemoteAddress = RemotePtr<>;

}  // namespace pycroscope

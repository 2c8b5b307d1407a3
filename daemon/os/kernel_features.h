// What the sampler needs of the running kernel, and the words for when it is missing.
#pragma once

#include "analysis/model/result.h"

namespace pycroscope {

struct KernelRelease {
  int major = 0;
  int minor = 0;
  auto operator<=>(const KernelRelease&) const = default;
};
KernelRelease kernel_release();

// bpf_loop() and typed kernel pointers in programs.
inline constexpr KernelRelease kOldestKernel{5, 17};

// Where the kernel describes its own types; programs are fitted to it when they are loaded.
inline constexpr const char* kKernelTypes = "/sys/kernel/btf/vmlinux";

// Why loading a BPF program failed with `error` (an errno): missing rights (kNotPermitted), a kernel that is too old or
// built without what is needed, or else the error itself.
Error bpf_load_error(int error);

}  // namespace pycroscope

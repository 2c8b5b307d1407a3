#include "daemon/os/kernel_features.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "daemon/os/file.h"

namespace pycroscope {

KernelRelease kernel_release() {
  utsname names{};
  KernelRelease release;
  if (::uname(&names) != 0 || std::sscanf(names.release, "%d.%d", &release.major, &release.minor) != 2) return {};
  return release;
}

Error bpf_load_error(int error) {
  if (error == EPERM || error == EACCES)
    return {ErrorCode::kNotPermitted,
            "the kernel does not permit loading the sampler: run as root, or with CAP_BPF and CAP_PERFMON"};
  if (const KernelRelease release = kernel_release(); release < kOldestKernel)
    return {ErrorCode::kFailed, fmt::format("the sampler needs Linux {}.{} or later, this is {}.{}",
                                            kOldestKernel.major, kOldestKernel.minor, release.major, release.minor)};
  if (::access(kKernelTypes, R_OK) != 0)
    return {
        ErrorCode::kFailed,
        fmt::format("the sampler needs a kernel built with CONFIG_DEBUG_INFO_BTF: {} cannot be read", kKernelTypes)};
  return {ErrorCode::kFailed, fmt::format("the kernel refuses the sampler: {}", errno_text(error))};
}

}  // namespace pycroscope

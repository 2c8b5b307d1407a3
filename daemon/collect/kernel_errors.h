// What the kernel side's error ids mean.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "bpf/include/records.h"
#include "pycroscope/v1/session.pb.h"

namespace pycroscope {

struct KernelError {
  pyc_error id;
  v1::LossReason loss;        // how a stack that could not be read for this reason is counted
  std::string_view sentence;  // without a final full stop
};

// For every id but PYC_OK.
const KernelError& kernel_error(pyc_error id);

// How often stacks could not be read, and why mostly; empty when all could be. `errors` by enum pyc_error.
std::string explain_errors(uint64_t attempts, std::span<const uint64_t, PYC_ERROR_COUNT> errors);

}  // namespace pycroscope

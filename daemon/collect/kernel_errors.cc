#include "daemon/collect/kernel_errors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace pycroscope {
namespace {

constexpr KernelError kErrors[] = {
    {PYC_ERROR_THREAD_LIST, v1::LOSS_REASON_READ_FAULT, "the list of the interpreter's threads could not be read"},
    {PYC_ERROR_FRAME_READ, v1::LOSS_REASON_READ_FAULT, "a frame could not be read"},
    {PYC_ERROR_CODE_READ, v1::LOSS_REASON_READ_FAULT, "a code object could not be read"},
    {PYC_ERROR_NAME_READ, v1::LOSS_REASON_READ_FAULT, "the names of a code object were not in memory"},
    {PYC_ERROR_BAD_FRAME, v1::LOSS_REASON_TORN_STACK, "the frames of a thread did not fit together"},
    {PYC_ERROR_BAD_CODE, v1::LOSS_REASON_TORN_STACK, "a frame had no code object"},
    {PYC_ERROR_CYCLE, v1::LOSS_REASON_TORN_STACK, "the chain of a thread's frames had no end"},
};
static_assert(std::size(kErrors) == PYC_ERROR_COUNT - 1);

}  // namespace

const KernelError& kernel_error(pyc_error id) {
  for (const KernelError& error : kErrors)
    if (error.id == id) return error;
  std::abort();  // not an error's id: our own mistake
}

std::string explain_errors(uint64_t attempts, std::span<const uint64_t, PYC_ERROR_COUNT> errors) {
  const auto worst = std::max_element(errors.begin() + PYC_OK + 1, errors.end());
  if (*worst == 0) return {};
  return fmt::format("no stack could be read in {} attempts: {}", attempts,
                     kernel_error(static_cast<pyc_error>(worst - errors.begin())).sentence);
}

}  // namespace pycroscope

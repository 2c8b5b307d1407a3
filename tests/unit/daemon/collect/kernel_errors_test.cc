#include "daemon/collect/kernel_errors.h"

#include <gtest/gtest.h>

namespace pycroscope {
namespace {

TEST(KernelErrors, EachHasASentenceAndALossReason) {
  for (int id = PYC_OK + 1; id < PYC_ERROR_COUNT; ++id) {
    const KernelError& error = kernel_error(static_cast<pyc_error>(id));
    EXPECT_EQ(error.id, id);
    EXPECT_FALSE(error.sentence.empty());
    EXPECT_NE(error.sentence.back(), '.');
    EXPECT_NE(error.loss, v1::LOSS_REASON_UNSPECIFIED);
  }
}

}  // namespace
}  // namespace pycroscope

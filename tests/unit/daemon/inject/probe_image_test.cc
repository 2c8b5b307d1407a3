#include "daemon/inject/probe_image.h"

#include <gtest/gtest.h>

#include <cstring>

namespace pycroscope {
namespace {

TEST(ProbeImage, IsWholePagesOfCodeAndThenOfData) {
  const ProbeImage image = probe_image_at(0x10000000);
  EXPECT_EQ(image.bytes.size(), probe_image_size());
  EXPECT_EQ(image.bytes.size() % 4096, 0u);
  EXPECT_EQ(image.code_size % 4096, 0u);
  EXPECT_LT(image.code_size, image.bytes.size());
  for (const uint64_t entry : {image.thread, image.pending, image.start_thread, image.trap}) {
    EXPECT_GT(entry, 0x10000000u);
    EXPECT_LT(entry, 0x10000000u + image.code_size);
  }
  EXPECT_EQ(image.bytes[image.trap - 0x10000000], std::byte{0xcc}) << "int3";
}

TEST(ProbeImage, DiffersByItsPlaceInItsAddressesOnly) {
  const ProbeImage here = probe_image_at(0x10000000), there = probe_image_at(0x7f0000000000);
  EXPECT_EQ(there.trap - here.trap, 0x7f0000000000u - 0x10000000u);
  size_t addresses = 0;
  for (size_t at = 0; at < here.bytes.size(); at += 8) {
    uint64_t a, b;
    std::memcpy(&a, &here.bytes[at], sizeof a);
    std::memcpy(&b, &there.bytes[at], sizeof b);
    if (a == b) continue;
    EXPECT_EQ(b - a, 0x7f0000000000u - 0x10000000u);
    EXPECT_GE(at, here.code_size) << "code is the same everywhere";
    ++addresses;
  }
  EXPECT_GE(addresses, 4u);
}

}  // namespace
}  // namespace pycroscope

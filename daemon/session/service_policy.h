// What a service allows its users, and what it keeps of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace pycroscope {

// Quotas hold for each user but root.
struct ServicePolicy {
  size_t recordings_per_user = 32;          // running at once
  std::optional<size_t> sessions_per_user;  // stored, recordings included
  std::optional<uint64_t> bytes_per_user;   // of all their sessions
  double cpu_percent_per_user = 100;        // of one core, for all their recordings together
  // Of the service's memory: all recordings lower their rates above it.
  uint64_t max_memory_bytes = 1'000'000'000;
  // Of each user's sessions: the newest `keep`, and of these what fits in `max_bytes`. The oldest are deleted.
  std::optional<uint32_t> keep;
  std::optional<uint64_t> max_bytes;
};

}  // namespace pycroscope

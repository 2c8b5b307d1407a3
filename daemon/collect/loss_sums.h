// Ticks that could not be recorded, summed by reason.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "bpf/include/records.h"
#include "daemon/collect/kernel_errors.h"
#include "daemon/collect/stack_source.h"

namespace pycroscope {

class LossSums {
 public:
  void add(v1::LossReason reason, uint64_t count) { sums_[reason] += count; }
  // One count for each enum pyc_error; PYC_OK is none.
  void add_errors(const uint64_t (&errors)[PYC_ERROR_COUNT]) {
    for (int id = PYC_OK + 1; id < PYC_ERROR_COUNT; ++id)
      add(kernel_error(static_cast<pyc_error>(id)).loss, errors[id]);
  }
  // Those that are not 0.
  std::vector<LossCount> counts() const {
    std::vector<LossCount> counts;
    for (const auto& [reason, count] : sums_)
      if (count != 0) counts.push_back({reason, count});
    return counts;
  }

 private:
  std::map<v1::LossReason, uint64_t> sums_;
};

}  // namespace pycroscope

// Where a thread is that runs no Python: the module of its instruction.
#pragma once

#include <cstdint>
#include <vector>

#include "analysis/model/symbols.h"
#include "daemon/target/maps.h"
#include "daemon/target/process.h"

namespace pycroscope {

// One owner thread; `process` must outlive it.
class NativePlaces {
 public:
  explicit NativePlaces(const Process& process) : process_(process) {}

  // A stack of one native frame, "[no Python]" in the module at `ip`: its base name, "[anonymous]", "[kernel]", or
  // "[unknown]" where `ip` is 0.
  StackId intern(uint64_t ip, int64_t now_ns, Symbols& symbols);

 private:
  const MapEntry* find(uint64_t ip) const;

  const Process& process_;
  std::vector<MapEntry> maps_;
  int64_t maps_read_ns_ = 0;
};

}  // namespace pycroscope

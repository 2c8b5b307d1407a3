// An ELF module as it is mapped in the target, read from memory alone: works when its file is replaced, deleted, or out
// of reach. What is in memory are the exported symbols (.dynsym), which no stripping removes.
#pragma once

#include <cstdint>
#include <string_view>

#include "analysis/model/result.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

class ElfImage {
 public:
  // `header`: where the module's ELF header is mapped. `memory` must outlive the image. Fails with kFailed when there
  // is no 64-bit little-endian ELF module, or with a failed read's error.
  static Result<ElfImage> read(const TargetMemory& memory, RemoteAddress header);

  // The address of an exported symbol that this module defines, null when it defines none of that name. A few small
  // reads. Damaged tables give null or a failed read's error; every chain is bounded.
  Result<RemoteAddress> find(std::string_view name) const;

  // What to add to addresses in the file to get addresses in the target.
  uint64_t bias() const { return bias_; }
  bool contains(RemoteAddress address) const { return begin_ <= address && address < end_; }

 private:
  explicit ElfImage(const TargetMemory& memory) : memory_(&memory) {}
  Status read_dynamic(RemoteAddress dynamic, uint64_t size);
  RemoteAddress relocated(uint64_t value) const;
  Result<RemoteAddress> find_gnu(std::string_view name) const;
  Result<RemoteAddress> find_sysv(std::string_view name) const;
  Result<RemoteAddress> definition(uint64_t index, std::string_view name) const;

  const TargetMemory* memory_;
  uint64_t bias_ = 0;
  RemoteAddress begin_, end_;
  RemoteAddress symbols_, strings_;
  uint64_t strings_size_ = 0;
  RemoteAddress gnu_hash_, sysv_hash_;
};

}  // namespace pycroscope

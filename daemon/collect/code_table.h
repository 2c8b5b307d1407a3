// What the identities of samples mean: functions and their lines, decoded from what the kernel captured.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>

#include "analysis/model/symbols.h"
#include "bpf/include/records.h"
#include "daemon/python/code_object.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

// One owner thread. `memory` and `layout` must outlive it.
class CodeTable {
 public:
  CodeTable(const TargetMemory& memory, const pyc_layout& layout) : memory_(memory), layout_(layout) {}

  // `record` is a pyc_code_record with its bytes. What cannot be decoded stays unknown. Returns the file of a code
  // object that was not known.
  std::optional<FileId> add(std::span<const std::byte> record, Symbols& symbols);
  // Where a frame of a sample is. Nothing: its code object is unknown.
  std::optional<LocationId> locate(const pyc_frame& frame, Symbols& symbols) const;
  size_t size() const { return codes_.size(); }

 private:
  struct Code {
    FunctionId function;
    LineTable lines;
    bool has_lines;  // the line table was longer than what is captured, and gone when it was to be completed
  };
  std::optional<CodeInfo> decode(const pyc_code_record& record, const TargetMemory& captured) const;

  const TargetMemory& memory_;
  const pyc_layout& layout_;
  std::unordered_map<uint64_t, Code> codes_;  // by identity
};

}  // namespace pycroscope

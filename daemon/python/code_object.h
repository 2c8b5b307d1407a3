// Decoding code objects: from live memory or from what the kernel captured at the moment of a sample.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/model/result.h"
#include "bpf/include/python_layout.h"
#include "daemon/python/unicode.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

// The line table of a code object, decoded once: line of any bytecode offset.
class LineTable {
 public:
  // `bytes` is the content of co_linetable or co_lnotab. Damaged tables give what could be decoded.
  static LineTable decode(pyc_linetable_kind kind, uint32_t first_line, std::string_view bytes);
  // 0 when the instruction has no line or is out of the table. Offsets below 0 give the first line (the frame has
  // not run an instruction yet).
  uint32_t line(int32_t offset) const;

 private:
  struct Entry {
    int32_t end;    // first offset after the entry, bytes
    uint32_t line;  // 0: none
  };
  void decode_locations(std::string_view bytes);
  void decode_lnotab(std::string_view bytes);
  void decode_ranges(std::string_view bytes);
  void add(int32_t end, int64_t line);

  uint32_t first_line_ = 0;
  std::vector<Entry> entries_;
};

struct CodeInfo {
  std::string qualname;  // UTF-8; lone surrogates become U+FFFD
  std::string filename;
  uint32_t first_line = 0;
  LineTable lines;
};

// Limits: names of 16 Ki characters, line tables of 4 MiB; longer ones are an error (kMemory).
Result<CodeInfo> decode_code(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress code);

// The identity that BPF programs compute (bpf/include/code_identity.h), computed from `memory`.
Result<uint64_t> code_identity(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress code);

// Of a code object's bytecode, in bytes.
Result<uint64_t> bytecode_size(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress code);

}  // namespace pycroscope

// The table of CPython's layouts. Everything else reads the resolved pyc_layout and switches on its kinds, never on a
// version. A new CPython is one row here.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "bpf/include/python_layout.h"

namespace pycroscope {

// Which fields _Py_DebugOffsets of a version has: see debug_offsets_shapes.h.
enum class DebugOffsetsShape : uint8_t { kNone, k313, k314, k315 };

// A row serves the final releases (and release candidates) of one minor version: CPython keeps the layout of its
// internal structures within one. Offsets are of 64-bit Linux builds without Py_TRACE_REFS.
struct LayoutRow {
  uint16_t version;                 // 0x030b is 3.11
  DebugOffsetsShape debug_offsets;  // not kNone: the interpreter tells most fields itself, see resolve_layout.h
  pyc_layout layout;
};

// By ascending version; of a version with builds of both kinds, the one with a GIL first.
std::span<const LayoutRow> layout_rows();

// What the table covers, for sentences: "3.8 to 3.13".
std::string supported_versions();

// The sentence about a Python that the table does not cover; `version` as people write it.
std::string unsupported_version(const std::string& version);

// A sentence for the user about a version that is later than the table's last one, or a pre-release of one that
// describes itself: its layout is a guess. Else "".
std::string caution_about(uint32_t version_hex);

}  // namespace pycroscope

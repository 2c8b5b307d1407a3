#include "daemon/python/layouts.h"

#include <algorithm>
#include <array>

#include "daemon/python/debug_offsets.h"

namespace pycroscope {
namespace {

constexpr uint16_t kNone = PYC_NO_OFFSET;

// A row serves the final releases (and release candidates) of one minor version: CPython keeps the layout of its
// internal structures within one. Offsets are of 64-bit Linux builds with a GIL and without Py_TRACE_REFS.
struct Row {
  uint16_t version;         // 0x030b is 3.11
  bool with_debug_offsets;  // fields that are not given here come from _Py_DebugOffsets
  pyc_layout layout;
};

// v3.11.2: Include/internal/pycore_runtime.h, pycore_interp.h, pycore_frame.h, pycore_gil.h, Include/cpython/pystate.h,
// code.h, unicodeobject.h, object.h, Include/internal/pycore_dict.h.
constexpr pyc_layout python311() {
  return {
      .version = 0,
      .frame_kind = PYC_FRAME_CFRAME,
      .instr_kind = PYC_INSTR_PREV,
      .linetable_kind = PYC_LINETABLE_LOCATIONS,
      .free_threaded = 0,
      .runtime_interpreters_head = 40,
      .runtime_finalizing = 24,
      .interpreter_threads_head = 16,
      .interpreter_next = 0,
      .interpreter_id = 48,
      .gil_in_runtime = 1,
      .gil = 360,
      .gil_locked = 16,
      .gil_last_holder = 8,
      .gil_size = 208,
      .thread_next = 8,
      .thread_interp = 16,
      .thread_frame = 56,
      .thread_id = 152,
      .thread_native_id = 160,
      .cframe_current_frame = 8,
      .cframe_previous = 16,
      .frame_size = 72,
      .frame_previous = 48,
      .frame_code = 32,
      .frame_instr = 56,
      .frame_owner = 69,
      .frame_locals = 72,
      .frame_owner_cstack = kNone,
      .code_argcount = 56,
      .code_first_line = 72,
      .code_filename = 112,
      .code_name = 120,
      .code_qualname = 128,
      .code_linetable = 136,
      .code_locals_names = 96,
      .code_locals_kinds = 104,
      .code_instructions = 184,
      .code_version = kNone,
      // From co_argcount to co_linetable; co_warmup, just before, counts.
      .code_identity_begin = 56,
      .code_identity_end = 144,
      .object_type = 8,
      .var_size = 16,
      .unicode_length = 16,
      .unicode_hash = 24,
      .unicode_state = 32,
      .unicode_ascii_data = 48,
      .unicode_compact_data = 72,
      .bytes_data = 32,
      .tuple_items = 24,
      .list_items = 24,
      .float_value = 16,
      .long_tag = 16,
      .long_digits = 24,
      .long_tagged = 0,
      .type_name = 24,
      .type_flags = 168,
      .type_basicsize = 32,
      .type_dictoffset = 288,
      .type_cached_keys = 872,
      .dict_keys = 32,
      .dict_values = 40,
      .keys_log2_size = 8,
      .keys_log2_index_bytes = 9,
      .keys_kind = 10,
      .keys_entries = 24,
      .keys_indices = 32,
      .values_items = 0,
      .managed_dict_kind = PYC_MANAGED_DICT_TWO_SLOTS,
      .interpreter_modules = 888,
  };
}

// v3.12.0, the same headers, as differences from 3.11.
constexpr pyc_layout python312() {
  pyc_layout layout = python311();
  layout.interpreter_threads_head = 72;
  layout.interpreter_id = 8;
  layout.interpreter_modules = 944;
  layout.gil_in_runtime = 0;
  layout.gil = 384;
  layout.thread_id = 136;
  layout.thread_native_id = 144;
  layout.cframe_current_frame = 0;
  layout.cframe_previous = 8;
  layout.frame_previous = 8;
  layout.frame_code = 0;
  layout.frame_owner = 70;
  layout.frame_owner_cstack = 3;
  layout.code_argcount = 52;
  layout.code_first_line = 68;
  layout.code_instructions = 192;
  layout.code_version = 92;
  layout.code_identity_begin = 24;  // co_consts; co_warmup is gone
  layout.unicode_ascii_data = 40;
  layout.unicode_compact_data = 56;
  layout.long_tagged = 1;
  layout.type_cached_keys = 880;
  layout.managed_dict_kind = PYC_MANAGED_DICT_TAGGED;
  return layout;
}

// v3.13.0: what _Py_DebugOffsets does not tell. All that it does tell is overwritten by apply_debug_offsets().
constexpr pyc_layout python313() {
  pyc_layout layout = python312();
  layout.frame_kind = PYC_FRAME_CURRENT_FRAME;
  layout.instr_kind = PYC_INSTR_PTR;
  layout.cframe_current_frame = kNone;
  layout.cframe_previous = kNone;
  layout.values_items = 8;
  layout.managed_dict_kind = PYC_MANAGED_DICT_INLINE;
  return layout;
}

constexpr std::array kRows = {
    Row{.version = 0x030b, .with_debug_offsets = false, .layout = python311()},
    Row{.version = 0x030c, .with_debug_offsets = false, .layout = python312()},
    Row{.version = 0x030d, .with_debug_offsets = true, .layout = python313()},
};

constexpr uint32_t major_of(uint32_t version_hex) { return version_hex >> 24; }
constexpr uint32_t minor_of(uint32_t version_hex) { return (version_hex >> 16) & 0xff; }
constexpr uint32_t release_level(uint32_t version_hex) { return (version_hex >> 4) & 0xf; }
constexpr uint32_t kReleaseCandidate = 0xc;

std::string minor_text(uint16_t version) { return std::to_string(version >> 8) + "." + std::to_string(version & 0xff); }

}  // namespace

std::string supported_versions() {
  return minor_text(kRows.front().version) + " to " + minor_text(kRows.back().version);
}

std::string unsupported_version(const std::string& version) {
  return "Python " + version + " is not supported: use a release of " + supported_versions();
}

std::string version_text(uint32_t version_hex) {
  std::string text = std::to_string(major_of(version_hex)) + "." + std::to_string(minor_of(version_hex)) + "." +
                     std::to_string((version_hex >> 8) & 0xff);
  const uint32_t level = release_level(version_hex);
  if (level == 0xf) return text;
  text += level == 0xa ? "a" : level == 0xb ? "b" : "rc";
  return text + std::to_string(version_hex & 0xf);
}

bool plausible_version(uint32_t version_hex) {
  const uint32_t level = release_level(version_hex);
  return (major_of(version_hex) == 3 || major_of(version_hex) == 4) && minor_of(version_hex) < 100 &&
         (level == 0xf || (level >= 0xa && level <= kReleaseCandidate));
}

Result<pyc_layout> resolve_layout(const TargetMemory& memory, RemoteAddress runtime, uint32_t version_hex) {
  const auto row = std::ranges::find(kRows, version_hex >> 16, &Row::version);
  if (row == kRows.end() || release_level(version_hex) < kReleaseCandidate) {
    return fail(ErrorCode::kFailed, unsupported_version(version_text(version_hex)));
  }
  pyc_layout layout = row->layout;
  layout.version = version_hex;
  if (row->with_debug_offsets) PYC_CHECK(apply_debug_offsets(memory, runtime, version_hex, layout));
  return layout;
}

}  // namespace pycroscope

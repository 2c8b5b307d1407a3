#include "daemon/python/layouts.h"

#include <algorithm>
#include <array>

#include "daemon/python/version.h"

namespace pycroscope {
namespace {

constexpr uint16_t kNone = PYC_NO_OFFSET;

// v3.11.2: Include/internal/pycore_runtime.h, pycore_interp.h, pycore_frame.h, pycore_gil.h, Include/cpython/pystate.h,
// code.h, unicodeobject.h, object.h, Include/internal/pycore_dict.h, Modules/_asynciomodule.c.
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
      .interpreter_modules = 888,
      .interpreter_sysdict = kNone,
      .gil_in_runtime = 1,
      .gil = 360,
      .gil_locked = 16,
      .gil_last_holder = 8,
      .gil_enabled = kNone,
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
      .frame_owner_shim = kNone,
      .frame_tlbc_index = kNone,
      .stackref_tag = 0,
      .code_argcount = 56,
      .code_first_line = 72,
      .code_filename = 112,
      .code_name = 120,
      .code_qualname = 128,
      .code_linetable = 136,
      .code_locals_names = 96,
      .code_locals_kinds = 104,
      .code_cellvars = kNone,
      .code_freevars = kNone,
      .code_instructions = 184,
      .code_bytecode = kNone,
      .code_tlbc = kNone,
      .code_version = kNone,
      // From co_argcount to co_linetable; co_warmup, just before, counts.
      .code_identity_begin = 56,
      .code_identity_end = 144,
      .object_type = 8,
      .var_size = 16,
      .unicode_length = 16,
      .unicode_hash = 24,
      .unicode_state = 32,
      .unicode_kind_bit = 2,
      .unicode_wstr = 40,
      .unicode_wstr_length = 64,
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
      .type_base = 256,
      .type_cached_keys = 872,
      .dict_keys = 32,
      .dict_values = 40,
      .keys_size = kNone,
      .keys_log2_size = 8,
      .keys_log2_index_bytes = 9,
      .keys_kind = 10,
      .keys_entries = 24,
      .keys_indices = 32,
      .values_items = 0,
      .managed_dict_kind = PYC_MANAGED_DICT_TWO_SLOTS,
      .managed_dict_before = 24,
      .task_kind = PYC_TASK_BY_HELD_LOOP,
      .thread_tasks = 128,
      .task_name = 144,
      .hook_kind = PYC_HOOK_EVALUATOR,
      .generator_kind = PYC_GENERATOR_STATE,
      .generator_frame = 80,
      .generator_state = 75,
      .interpreter_evaluate = 1424,
      .thread_profile = 64,
      .thread_trace = 72,
      .thread_unique_id = 240,
      .code_flags = 48,
      .object_frame = 24,
      .object_line = 40,
      .object_trace_opcodes = 45,
      .opcode_getitem = 19,
      .opcode_subscript = 25,
      .opcodes_end = 181,
  };
}

// v3.10.13: Include/internal/pycore_runtime.h, pycore_interp.h, Include/cpython/pystate.h, frameobject.h, code.h,
// Objects/dict-common.h. As differences from 3.11.
constexpr pyc_layout python310() {
  pyc_layout layout = python311();
  layout.frame_kind = PYC_FRAME_CURRENT_FRAME;
  layout.instr_kind = PYC_INSTR_LASTI_UNITS;
  layout.linetable_kind = PYC_LINETABLE_RANGES;
  layout.runtime_interpreters_head = 32;
  layout.runtime_finalizing = 16;
  layout.interpreter_threads_head = 8;
  layout.interpreter_id = 24;
  layout.interpreter_modules = 856;
  layout.interpreter_sysdict = 872;
  layout.gil = 352;
  layout.thread_frame = 24;
  layout.thread_id = 176;
  layout.thread_native_id = kNone;
  layout.cframe_current_frame = kNone;
  layout.cframe_previous = kNone;
  layout.frame_size = 104;
  layout.frame_previous = 24;
  layout.frame_instr = 96;
  layout.frame_owner = kNone;
  layout.frame_locals = 352;
  layout.code_argcount = 16;
  layout.code_first_line = 40;
  layout.code_filename = 104;
  layout.code_name = 112;
  layout.code_qualname = 112;
  layout.code_linetable = 120;
  layout.code_locals_names = 72;
  layout.code_locals_kinds = kNone;
  layout.code_cellvars = 88;
  layout.code_freevars = 80;
  layout.code_instructions = kNone;
  layout.code_bytecode = 48;
  layout.code_identity_begin = 16;
  layout.code_identity_end = 128;
  layout.type_cached_keys = 872;
  layout.keys_size = 8;
  layout.keys_log2_size = kNone;
  layout.keys_log2_index_bytes = kNone;
  layout.keys_kind = kNone;
  layout.keys_entries = 32;
  layout.keys_indices = 40;
  layout.managed_dict_kind = PYC_MANAGED_DICT_NONE;
  layout.thread_tasks = 152;
  layout.task_name = 168;
  layout.generator_frame = 0;
  layout.generator_state = 108;
  layout.interpreter_evaluate = 1368;
  layout.thread_profile = 56;
  layout.thread_trace = 64;
  layout.thread_unique_id = 256;
  layout.code_flags = 36;
  layout.object_frame = kNone;
  layout.object_line = 100;
  layout.object_trace_opcodes = 85;
  layout.opcode_getitem = kNone;
  layout.opcode_subscript = kNone;
  layout.opcodes_end = kNone;
  return layout;
}

// v3.9.18, the same headers, as differences from 3.10.
constexpr pyc_layout python39() {
  pyc_layout layout = python310();
  layout.instr_kind = PYC_INSTR_LASTI_BYTES;
  layout.linetable_kind = PYC_LINETABLE_LNOTAB;
  layout.frame_size = 112;
  layout.frame_instr = 104;
  layout.frame_locals = 360;
  layout.type_cached_keys = 864;
  layout.task_name = 160;
  layout.generator_kind = PYC_GENERATOR_STACK;
  layout.generator_state = 72;
  layout.interpreter_evaluate = 1400;
  layout.object_line = 108;
  layout.object_trace_opcodes = 89;
  return layout;
}

// v3.8.18: Include/internal/pycore_pystate.h, as differences from 3.9.
constexpr pyc_layout python38() {
  pyc_layout layout = python39();
  layout.interpreter_id = 16;
  layout.interpreter_modules = 56;
  layout.interpreter_sysdict = 72;
  layout.gil = 1152;
  layout.type_cached_keys = 872;
  layout.task_name = 120;
  layout.hook_kind = PYC_HOOK_FRAMES;
  layout.interpreter_evaluate = 568;
  return layout;
}

// v3.12.0, the same headers as for 3.11, as differences from it.
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
  layout.frame_owner_shim = 3;
  layout.code_argcount = 52;
  layout.code_first_line = 68;
  layout.code_instructions = 192;
  layout.code_version = 92;
  layout.code_identity_begin = 24;  // co_consts; co_warmup is gone
  layout.unicode_ascii_data = 40;
  layout.unicode_compact_data = 56;
  layout.unicode_wstr = kNone;
  layout.unicode_wstr_length = kNone;
  layout.long_tagged = 1;
  layout.type_cached_keys = 880;
  layout.managed_dict_kind = PYC_MANAGED_DICT_TAGGED;
  layout.task_kind = PYC_TASK_BY_DICT_LOOP;
  layout.thread_tasks = 112;
  layout.hook_kind = PYC_HOOK_MONITORING;
  layout.generator_kind = kNone;
  layout.generator_frame = kNone;
  layout.generator_state = kNone;
  layout.interpreter_evaluate = kNone;
  layout.thread_profile = kNone;
  layout.thread_trace = kNone;
  layout.thread_unique_id = kNone;
  layout.code_flags = kNone;
  layout.object_frame = kNone;
  layout.object_line = kNone;
  layout.object_trace_opcodes = kNone;
  layout.opcode_getitem = kNone;
  layout.opcode_subscript = kNone;
  layout.opcodes_end = kNone;
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
  layout.task_kind = PYC_TASK_BY_THREAD_LOOP;
  layout.task_name = 128;
  return layout;
}

// v3.14.0, as differences from 3.13: references on the stack are tagged, asyncio describes itself. (Its owners of
// frames that are no Python frames are FRAME_OWNED_BY_INTERPRETER and FRAME_OWNED_BY_CSTACK, where 3.13 has the latter
// alone.)
constexpr pyc_layout python314() {
  pyc_layout layout = python313();
  layout.stackref_tag = 3;
  layout.task_kind = PYC_TASK_OF_THREAD;
  layout.thread_tasks = kNone;
  layout.task_name = kNone;
  return layout;
}

// Builds with --disable-gil, as differences from those with a GIL: there is no PyGC_Head in front of objects, their
// header is larger by 16 bytes, and the GIL's state begins with `enabled`.
constexpr pyc_layout free_threaded(pyc_layout layout) {
  layout.free_threaded = 1;
  layout.managed_dict_before = 8;
  layout.gil_size = 216;
  if (layout.task_name != kNone) layout.task_name += 16;
  return layout;
}

// v3.14.0 Include/cpython/unicodeobject.h: `interned` is a byte there.
constexpr pyc_layout free_threaded314() {
  pyc_layout layout = free_threaded(python314());
  layout.unicode_kind_bit = 8;
  return layout;
}

constexpr std::array kRows = {
    LayoutRow{0x0308, DebugOffsetsShape::kNone, python38()},
    LayoutRow{0x0309, DebugOffsetsShape::kNone, python39()},
    LayoutRow{0x030a, DebugOffsetsShape::kNone, python310()},
    LayoutRow{0x030b, DebugOffsetsShape::kNone, python311()},
    LayoutRow{0x030c, DebugOffsetsShape::kNone, python312()},
    LayoutRow{0x030d, DebugOffsetsShape::k313, python313()},
    LayoutRow{0x030d, DebugOffsetsShape::k313, free_threaded(python313())},
    LayoutRow{0x030e, DebugOffsetsShape::k314, python314()},
    LayoutRow{0x030e, DebugOffsetsShape::k314, free_threaded314()},
    LayoutRow{0x030f, DebugOffsetsShape::k315, python314()},
    LayoutRow{0x030f, DebugOffsetsShape::k315, free_threaded314()},
};

}  // namespace

std::span<const LayoutRow> layout_rows() { return kRows; }

std::string supported_versions() {
  return minor_version_text(kRows.front().version) + " to " + minor_version_text(kRows.back().version);
}

std::string unsupported_version(const std::string& version) {
  return "Python " + version + " is not supported: use a release of " + supported_versions();
}

std::string caution_about(uint32_t version_hex) {
  const auto first_to_tell = std::ranges::find_if_not(
      kRows, [](const LayoutRow& row) { return row.debug_offsets == DebugOffsetsShape::kNone; });
  const uint32_t minor_version = version_hex >> 16;
  const bool is_known = minor_version <= kRows.back().version && is_settled_version(version_hex);
  if (is_known || minor_version < first_to_tell->version) return "";
  return "Python " + version_text(version_hex) + " is not among the releases known here (" + supported_versions() +
         "): it is read by what it says about itself, and what is shown may be wrong";
}

}  // namespace pycroscope

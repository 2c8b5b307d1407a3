// The resolved layout of one interpreter: the row of the table in daemon/python/layouts.cc that fits, completed from
// the target's own debug offsets where it has them. The same struct is read by user space and by BPF programs.
// All offsets are in bytes; kNoOffset where the version has no such field.
#pragma once

#ifdef __cplusplus
#include <cstdint>
namespace pycroscope {
using pyc_u64 = std::uint64_t;
using pyc_u32 = std::uint32_t;
using pyc_u16 = std::uint16_t;
using pyc_s32 = std::int32_t;
#else
typedef unsigned long long pyc_u64;
typedef unsigned int pyc_u32;
typedef unsigned short pyc_u16;
typedef int pyc_s32;
#endif

#define PYC_NO_OFFSET 0xffffu

enum pyc_frame_kind {
  PYC_FRAME_CFRAME = 1,         // tstate->cframe->current_frame (3.11, 3.12)
  PYC_FRAME_CURRENT_FRAME = 2,  // tstate->current_frame (3.13)
};

enum pyc_instr_kind {
  PYC_INSTR_PREV = 1,  // frame->prev_instr: the instruction that is executing, or the last one (3.11, 3.12)
  PYC_INSTR_PTR = 2,   // frame->instr_ptr (3.13)
};

enum pyc_linetable_kind {
  PYC_LINETABLE_LOCATIONS = 1,  // co_linetable of 3.11 and later
};

enum pyc_managed_dict_kind {
  PYC_MANAGED_DICT_TWO_SLOTS = 1,  // values at object - 32 or a dict at object - 24 (3.11)
  PYC_MANAGED_DICT_TAGGED = 2,     // at object - 24: a dict, or with bit 0 set the address of values - 1 (3.12)
  PYC_MANAGED_DICT_INLINE = 3,     // a dict at object - 24, else values at object + tp_basicsize (3.13)
};

struct pyc_layout {
  pyc_u32 version;  // PY_VERSION_HEX, for people only: code switches on kinds
  pyc_u16 frame_kind;
  pyc_u16 instr_kind;
  pyc_u16 linetable_kind;
  pyc_u16 free_threaded;

  // _PyRuntimeState
  pyc_u16 runtime_interpreters_head;
  pyc_u16 runtime_finalizing;
  // PyInterpreterState
  pyc_u32 interpreter_threads_head;
  pyc_u32 interpreter_next;
  pyc_u32 interpreter_id;
  // The GIL's state (struct _gil_runtime_state): in the runtime (3.11) when gil_in_runtime, else where the pointer
  // PyInterpreterState.ceval.gil points (3.12+).
  pyc_u32 gil_in_runtime;
  pyc_u32 gil;
  pyc_u16 gil_locked;
  pyc_u16 gil_last_holder;
  pyc_u16 gil_size;
  // PyThreadState; prev is its first field in every version
  pyc_u16 thread_next;
  pyc_u16 thread_interp;
  pyc_u16 thread_frame;  // cframe or current_frame, see frame_kind
  pyc_u16 thread_id;     // pthread_self() of its thread
  pyc_u16 thread_native_id;
  // _PyCFrame
  pyc_u16 cframe_current_frame;
  pyc_u16 cframe_previous;
  // _PyInterpreterFrame
  pyc_u16 frame_size;  // of the fixed part, up to localsplus
  pyc_u16 frame_previous;
  pyc_u16 frame_code;   // f_code or f_executable
  pyc_u16 frame_instr;  // prev_instr or instr_ptr
  pyc_u16 frame_owner;
  pyc_u16 frame_locals;        // localsplus
  pyc_u16 frame_owner_cstack;  // value of `owner` that marks a shim of a C call, PYC_NO_OFFSET: none
  // PyCodeObject
  pyc_u16 code_argcount;
  pyc_u16 code_first_line;
  pyc_u16 code_filename;
  pyc_u16 code_name;
  pyc_u16 code_qualname;
  pyc_u16 code_linetable;
  pyc_u16 code_locals_names;
  pyc_u16 code_locals_kinds;
  pyc_u16 code_instructions;  // co_code_adaptive
  pyc_u16 code_version;       // co_version, PYC_NO_OFFSET before 3.12
  // [identity_begin, identity_end): the part of a code object that never changes while it lives
  pyc_u16 code_identity_begin;
  pyc_u16 code_identity_end;
  // PyObject, str, bytes, tuple, list, float, int, type
  pyc_u16 object_type;
  pyc_u16 var_size;  // ob_size
  pyc_u16 unicode_length;
  pyc_u16 unicode_hash;
  pyc_u16 unicode_state;
  pyc_u16 unicode_ascii_data;    // sizeof(PyASCIIObject)
  pyc_u16 unicode_compact_data;  // sizeof(PyCompactUnicodeObject)
  pyc_u16 bytes_data;
  pyc_u16 tuple_items;
  pyc_u16 list_items;
  pyc_u16 float_value;
  pyc_u16 long_tag;  // lv_tag (3.12+) or ob_size (3.11), see long_tagged
  pyc_u16 long_digits;
  pyc_u16 long_tagged;
  pyc_u16 type_name;
  pyc_u16 type_flags;
  pyc_u16 type_basicsize;
  pyc_u16 type_dictoffset;
  pyc_u16 type_cached_keys;  // ht_cached_keys of heap types
  // dict, its keys, and the attributes of objects that have no dict of their own
  pyc_u16 dict_keys;
  pyc_u16 dict_values;
  pyc_u16 keys_log2_size;
  pyc_u16 keys_log2_index_bytes;
  pyc_u16 keys_kind;     // 0: entries of hash, key, value; others: of key, value
  pyc_u16 keys_entries;  // dk_nentries
  pyc_u16 keys_indices;
  pyc_u16 values_items;  // of PyDictValues
  pyc_u16 managed_dict_kind;
  pyc_u32 interpreter_modules;  // the dict sys.modules
};

#ifdef __cplusplus
}  // namespace pycroscope
#endif

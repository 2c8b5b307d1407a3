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
  PYC_FRAME_CURRENT_FRAME = 2,  // tstate->current_frame (3.13 and later), tstate->frame (up to 3.10)
};

enum pyc_instr_kind {
  PYC_INSTR_PREV = 1,         // frame->prev_instr: the instruction that is executing, or the last one (3.11, 3.12)
  PYC_INSTR_PTR = 2,          // frame->instr_ptr (3.13 and later)
  PYC_INSTR_LASTI_BYTES = 3,  // frame->f_lasti, an int: offset in bytes (3.8, 3.9)
  PYC_INSTR_LASTI_UNITS = 4,  // frame->f_lasti, an int: offset in code units of two bytes (3.10)
};

enum pyc_linetable_kind {
  PYC_LINETABLE_LOCATIONS = 1,  // co_linetable of 3.11 and later
  PYC_LINETABLE_LNOTAB = 2,     // co_lnotab of 3.8 and 3.9
  PYC_LINETABLE_RANGES = 3,     // co_linetable of 3.10
};

// What functions written in C can be told by that is executed, and what a generator's frame says about itself.
enum pyc_hook_kind {
  PYC_HOOK_FRAMES = 1,      // by evaluating frames (PEP 523), in a function that is not given the thread state (3.8)
  PYC_HOOK_EVALUATOR = 2,   // the same, with the thread state (3.9 to 3.11)
  PYC_HOOK_MONITORING = 3,  // by sys.monitoring (3.12 and later)
};

enum pyc_generator_kind {
  PYC_GENERATOR_STACK = 1,  // a pointer, null but while it is suspended (3.8, 3.9)
  PYC_GENERATOR_STATE = 2,  // a byte, -1 while it is suspended (3.10, 3.11)
};

enum pyc_managed_dict_kind {
  PYC_MANAGED_DICT_NONE = 0,       // before 3.11
  PYC_MANAGED_DICT_TWO_SLOTS = 1,  // values at object - 32 or a dict at object - 24 (3.11)
  PYC_MANAGED_DICT_TAGGED = 2,     // at object - 24: a dict, or with bit 0 set the address of values - 1 (3.12)
  PYC_MANAGED_DICT_INLINE = 3,     // a dict in front, else values at object + tp_basicsize (3.13 and later)
};

// How to find the asyncio task that a thread executes. By its running loop: _asyncio has a dict of the running loops
// and what they execute.
enum pyc_task_kind {
  PYC_TASK_BY_HELD_LOOP = 1,    // the thread's dict has an object that holds its running loop (3.8 to 3.11)
  PYC_TASK_BY_DICT_LOOP = 2,    // the thread's dict has its running loop (3.12)
  PYC_TASK_BY_THREAD_LOOP = 3,  // the thread state has its running loop (3.13)
  PYC_TASK_OF_THREAD = 4,       // the thread state has the task itself (3.14 and later)
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
  pyc_u32 interpreter_modules;  // the dict sys.modules
  pyc_u32 interpreter_sysdict;  // the dict of module sys; only for versions that export no Py_Version (before 3.11)
  // The GIL's state (struct _gil_runtime_state): in the runtime (up to 3.11) when gil_in_runtime, else where the
  // pointer PyInterpreterState.ceval.gil points (3.12+).
  pyc_u32 gil_in_runtime;
  pyc_u32 gil;
  pyc_u16 gil_locked;
  pyc_u16 gil_last_holder;
  pyc_u16 gil_enabled;  // an int, 0: there is no GIL; PYC_NO_OFFSET: there always is one
  pyc_u16 gil_size;
  // PyThreadState; prev is its first field in every version
  pyc_u16 thread_next;
  pyc_u16 thread_interp;
  pyc_u16 thread_frame;      // frame, cframe or current_frame, see frame_kind
  pyc_u16 thread_id;         // pthread_self() of its thread
  pyc_u16 thread_native_id;  // PYC_NO_OFFSET before 3.11
  // _PyCFrame
  pyc_u16 cframe_current_frame;
  pyc_u16 cframe_previous;
  // _PyInterpreterFrame; PyFrameObject up to 3.10
  pyc_u16 frame_size;  // of the part that is read of each frame; up to localsplus since 3.11
  pyc_u16 frame_previous;
  pyc_u16 frame_code;        // f_code or f_executable
  pyc_u16 frame_instr;       // see instr_kind
  pyc_u16 frame_owner;       // PYC_NO_OFFSET before 3.11
  pyc_u16 frame_locals;      // localsplus
  pyc_u16 frame_owner_shim;  // values of `owner` from this one on mark what is no Python frame, PYC_NO_OFFSET: none
  pyc_u16 frame_tlbc_index;  // which of the code's bytecodes executes (free-threaded 3.14+), else PYC_NO_OFFSET
  // Low bits of f_executable and the locals that are no part of the address (3.14+: _PyStackRef), 0: there are none.
  pyc_u16 stackref_tag;
  // PyCodeObject
  pyc_u16 code_argcount;
  pyc_u16 code_first_line;
  pyc_u16 code_filename;
  pyc_u16 code_name;
  pyc_u16 code_qualname;      // co_name before 3.11
  pyc_u16 code_linetable;     // co_lnotab before 3.10
  pyc_u16 code_locals_names;  // co_localsplusnames; co_varnames before 3.11
  pyc_u16 code_locals_kinds;  // PYC_NO_OFFSET before 3.11: then the names in co_cellvars and co_freevars follow
  pyc_u16 code_cellvars;      // PYC_NO_OFFSET since 3.11, so the next one
  pyc_u16 code_freevars;
  pyc_u16 code_instructions;  // co_code_adaptive, PYC_NO_OFFSET before 3.11
  pyc_u16 code_bytecode;      // co_code, a bytes object, PYC_NO_OFFSET since 3.11
  pyc_u16 code_tlbc;          // co_tlbc, see frame_tlbc_index
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
  pyc_u16 unicode_kind_bit;      // where in the state the bits of kind, compact and ascii begin
  pyc_u16 unicode_wstr;          // PYC_NO_OFFSET since 3.12: every str has one of the newer forms
  pyc_u16 unicode_wstr_length;   // PYC_NO_OFFSET since 3.12
  pyc_u16 unicode_ascii_data;    // sizeof(PyASCIIObject)
  pyc_u16 unicode_compact_data;  // sizeof(PyCompactUnicodeObject)
  pyc_u16 bytes_data;
  pyc_u16 tuple_items;
  pyc_u16 list_items;
  pyc_u16 float_value;
  pyc_u16 long_tag;  // lv_tag (3.12+) or ob_size, see long_tagged
  pyc_u16 long_digits;
  pyc_u16 long_tagged;
  pyc_u16 type_name;
  pyc_u16 type_flags;
  pyc_u16 type_basicsize;
  pyc_u16 type_dictoffset;
  pyc_u16 type_base;
  pyc_u16 type_cached_keys;  // ht_cached_keys of heap types
  // dict, its keys, and the attributes of objects that have no dict of their own
  pyc_u16 dict_keys;
  pyc_u16 dict_values;
  pyc_u16 keys_size;       // dk_size, PYC_NO_OFFSET since 3.11
  pyc_u16 keys_log2_size;  // PYC_NO_OFFSET before 3.11, so the next two
  pyc_u16 keys_log2_index_bytes;
  pyc_u16 keys_kind;     // 0: entries of hash, key, value; others: of key, value
  pyc_u16 keys_entries;  // dk_nentries
  pyc_u16 keys_indices;
  pyc_u16 values_items;  // of PyDictValues
  pyc_u16 managed_dict_kind;
  pyc_u16 managed_dict_before;  // bytes that the dict stands in front of its object
  // asyncio; the offsets are PYC_NO_OFFSET where it says them itself (3.14+)
  pyc_u16 task_kind;
  pyc_u16 thread_tasks;  // of the thread state: what task_kind begins with
  pyc_u16 task_name;
  // Tracing; but for hook_kind all is PYC_NO_OFFSET since 3.12, where sys.monitoring tells all
  pyc_u16 hook_kind;
  pyc_u16 generator_kind;
  pyc_u16 generator_frame;       // the frame in its generator, 0 before 3.11: then the frame has the next one itself
  pyc_u16 generator_state;       // see generator_kind
  pyc_u16 interpreter_evaluate;  // the function eval_frame
  pyc_u16 thread_profile;        // the function c_profilefunc
  pyc_u16 thread_trace;          // the function c_tracefunc
  pyc_u16 thread_unique_id;      // id, which no other thread state has
  pyc_u16 code_flags;
  pyc_u16
      object_frame;     // of PyFrameObject: where its frame is, PYC_NO_OFFSET before 3.11, where it is the frame itself
  pyc_u16 object_line;  // of PyFrameObject, f_lineno
  pyc_u16 object_trace_opcodes;  // of PyFrameObject
  // BINARY_SUBSCR_GETITEM, which calls a function without evaluating its frame anew, even where somebody else evaluates
  // frames (some releases of 3.11); BINARY_SUBSCR, which does the same by an ordinary call; and the first number that
  // no opcode has, but for the last one. PYC_NO_OFFSET: there is no such opcode.
  pyc_u16 opcode_getitem;
  pyc_u16 opcode_subscript;
  pyc_u16 opcodes_end;
};

// The asyncio of one process; all 0: it is not imported (yet).
struct pyc_tasks {
  pyc_u64 type;          // address of _asyncio.Task
  pyc_u64 by_loop;       // address of the dict of running loops and their tasks; not for PYC_TASK_OF_THREAD
  pyc_u64 loop_key;      // address of the str under which a thread's dict has its running loop, where it is there
  pyc_u32 thread_tasks;  // of the thread state, as in the layout
  pyc_u32 task_name;     // of a task
};

#ifdef __cplusplus
}  // namespace pycroscope
#endif

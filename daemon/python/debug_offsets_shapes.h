// struct _Py_DebugOffsets as the interpreters lay it out, up to the last part that is read of it. It is fixed within a
// minor version; what a version changed has its number in the name here.
//   v3.13.0 Include/internal/pycore_runtime.h; v3.14.0, v3.15.0 Include/internal/pycore_debug_offsets.h
#pragma once

#include <cstdint>

namespace pycroscope::debug_offsets {

// The same in all versions.
struct Header {
  char cookie[8];  // "xdebugpy"
  uint64_t version;
  uint64_t free_threaded;
};

struct Runtime {
  uint64_t size, finalizing, interpreters_head;
};
struct Interpreter313 {
  uint64_t size, id, next, threads_head, gc, imports_modules, sysdict, builtins, ceval_gil, gil, gil_enabled,
      gil_locked, gil_holder;
};
struct Interpreter314 {
  uint64_t size, id, next, threads_head, threads_main, gc, imports_modules, sysdict, builtins, ceval_gil, gil,
      gil_enabled, gil_locked, gil_holder, code_object_generation, tlbc_generation;
};
struct Thread313 {
  uint64_t size, prev, next, interp, current_frame, thread_id, native_thread_id, datastack_chunk, status;
};
struct Thread315 {
  uint64_t size, prev, next, interp, current_frame, base_frame, last_profiled_frame, last_profiled_frame_seq, thread_id,
      native_thread_id, datastack_chunk, status, holds_gil, gil_requested, current_exception, exc_state;
};
struct ExceptionItem {
  uint64_t exc_value;
};
struct Frame313 {
  uint64_t size, previous, executable, instr_ptr, localsplus, owner;
};
struct Frame314 {
  uint64_t size, previous, executable, instr_ptr, localsplus, owner, stackpointer, tlbc_index;
};
struct Code313 {
  uint64_t size, filename, name, qualname, linetable, firstlineno, argcount, localsplusnames, localspluskinds,
      code_adaptive;
};
struct Code314 {
  uint64_t size, filename, name, qualname, linetable, firstlineno, argcount, localsplusnames, localspluskinds,
      code_adaptive, tlbc;
};
struct Object {
  uint64_t size, type;
};
struct Type313 {
  uint64_t size, name, repr, flags;
};
struct Type315 {
  uint64_t size, name, repr, flags, basicsize, dictoffset;
};
struct HeapType {
  uint64_t size, cached_keys;
};
struct Items {  // tuple and list
  uint64_t size, items, item_count;
};
struct Set {
  uint64_t size, used, table, mask;
};
struct Dict {
  uint64_t size, keys, values;
};
struct Float {
  uint64_t size, value;
};
struct Integer {
  uint64_t size, tag, digits;
};
struct Bytes {
  uint64_t size, length, data;
};
struct Unicode {
  uint64_t size, state, length, ascii_size;
};

struct Shape313 {
  Header header;
  Runtime runtime;
  Interpreter313 interpreter;
  Thread313 thread;
  Frame313 frame;
  Code313 code;
  Object object;
  Type313 type;
  Items tuple, list;
  Dict dict;
  Float floating;
  Integer integer;
  Bytes bytes;
  Unicode unicode;
};

struct Shape314 {
  Header header;
  Runtime runtime;
  Interpreter314 interpreter;
  Thread313 thread;
  Frame314 frame;
  Code314 code;
  Object object;
  Type313 type;
  Items tuple, list;
  Set set;
  Dict dict;
  Float floating;
  Integer integer;
  Bytes bytes;
  Unicode unicode;
};

struct Shape315 {
  Header header;
  Runtime runtime;
  Interpreter314 interpreter;
  Thread315 thread;
  ExceptionItem exception;
  Frame314 frame;
  Code314 code;
  Object object;
  Type315 type;
  HeapType heap_type;
  Items tuple, list;
  Set set;
  Dict dict;
  Float floating;
  Integer integer;
  Bytes bytes;
  Unicode unicode;
};

}  // namespace pycroscope::debug_offsets

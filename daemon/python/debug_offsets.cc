#include "daemon/python/debug_offsets.h"

#include <cstring>

#include "daemon/python/debug_offsets_shapes.h"
#include "daemon/python/version.h"

namespace pycroscope {
namespace {

// Copies offsets into a layout and remembers whether all of them were sane.
class Checker {
 public:
  // The next offsets are in a structure of `size` bytes, which must be in [minimum, maximum].
  void structure(uint64_t size, uint64_t minimum, uint64_t maximum) {
    size_ = size;
    if (size < minimum || size > maximum) sane_ = false;
  }
  template <class T>
  void field(T& out, uint64_t offset, uint64_t width) {
    // A value that does not fit its field would be cut silently: PYC_NO_OFFSET and above are no offsets.
    const uint64_t largest = sizeof(T) == 2 ? PYC_NO_OFFSET - 1u : 0x7fffffffu;
    if (width > size_ || offset > size_ - width || offset % width != 0 || offset > largest) {
      sane_ = false;
    } else {
      out = static_cast<T>(offset);
    }
  }
  bool sane() const { return sane_; }

 private:
  uint64_t size_ = 0;
  bool sane_ = true;
};

constexpr uint64_t kPointer = 8;
constexpr uint64_t kInt = 4;
// sizeof(PyHeapTypeObject) and its ht_cached_keys, both less sizeof(PyTypeObject).
constexpr uint64_t kHeapType = 472;
constexpr uint64_t kCachedKeys = 464;
constexpr uint64_t kMega = 1 << 20;  // the interpreter state of 3.13 has 190 KiB

template <class Shape>
void check_runtime(const Shape& from, pyc_layout& to, Checker& check) {
  check.structure(from.runtime.size, sizeof from, 16 * kMega);
  check.field(to.runtime_finalizing, from.runtime.finalizing, kPointer);
  check.field(to.runtime_interpreters_head, from.runtime.interpreters_head, kPointer);
  check.structure(from.interpreter.size, 1024, 16 * kMega);
  check.field(to.interpreter_id, from.interpreter.id, kPointer);
  check.field(to.interpreter_next, from.interpreter.next, kPointer);
  check.field(to.interpreter_threads_head, from.interpreter.threads_head, kPointer);
  check.field(to.interpreter_modules, from.interpreter.imports_modules, kPointer);
  check.field(to.gil, from.interpreter.ceval_gil, kPointer);
  // These are of the main interpreter's own GIL state inside PyInterpreterState; one that is before it wraps around and
  // is refused.
  check.structure(to.gil_size, 16, 4096);
  check.field(to.gil_locked, from.interpreter.gil_locked - from.interpreter.gil, kInt);
  check.field(to.gil_last_holder, from.interpreter.gil_holder - from.interpreter.gil, kPointer);
  if (to.free_threaded != 0) check.field(to.gil_enabled, from.interpreter.gil_enabled, kInt);
}

template <class Shape>
void check_thread(const Shape& from, pyc_layout& to, Checker& check) {
  check.structure(from.thread.size, 64, 0xffff);
  check.field(to.thread_next, from.thread.next, kPointer);
  check.field(to.thread_interp, from.thread.interp, kPointer);
  check.field(to.thread_frame, from.thread.current_frame, kPointer);
  check.field(to.thread_id, from.thread.thread_id, kPointer);
  check.field(to.thread_native_id, from.thread.native_thread_id, kPointer);
  if (to.task_kind == PYC_TASK_BY_THREAD_LOOP) {
    // _PyThreadStateImpl: the public part, asyncio_running_loop
    // (https://github.com/python/cpython/blob/v3.13.0/Include/internal/pycore_tstate.h#L19).
    check.structure(from.thread.size + kPointer, 64, 0xffff);
    check.field(to.thread_tasks, from.thread.size, kPointer);
  }
  check.structure(from.frame.size, 48, 256);
  check.field(to.frame_locals, from.frame.localsplus, kPointer);
  check.field(to.frame_size, from.frame.localsplus, kPointer);
  // Of a frame only the fixed part is read.
  check.structure(to.frame_size, 40, 256);
  check.field(to.frame_previous, from.frame.previous, kPointer);
  check.field(to.frame_code, from.frame.executable, kPointer);
  check.field(to.frame_instr, from.frame.instr_ptr, kPointer);
  check.field(to.frame_owner, from.frame.owner, 1);
  if constexpr (requires { from.frame.tlbc_index; }) {
    if (to.free_threaded != 0) check.field(to.frame_tlbc_index, from.frame.tlbc_index, kInt);
  }
}

template <class Shape>
void check_code(const Shape& from, pyc_layout& to, Checker& check) {
  check.structure(from.code.size, 128, 4096);
  check.field(to.code_filename, from.code.filename, kPointer);
  check.field(to.code_name, from.code.name, kPointer);
  check.field(to.code_qualname, from.code.qualname, kPointer);
  check.field(to.code_linetable, from.code.linetable, kPointer);
  check.field(to.code_first_line, from.code.firstlineno, kInt);
  check.field(to.code_argcount, from.code.argcount, kInt);
  check.field(to.code_locals_names, from.code.localsplusnames, kPointer);
  check.field(to.code_locals_kinds, from.code.localspluskinds, kPointer);
  check.field(to.code_instructions, from.code.code_adaptive, kPointer);
  if constexpr (requires { from.code.tlbc; }) {
    if (to.free_threaded != 0) check.field(to.code_tlbc, from.code.tlbc, kPointer);
  }
  // Neighbours in all versions: co_version, co_localsplusnames; ob_size, co_consts ... co_linetable, co_weakreflist.
  check.field(to.code_version, from.code.localsplusnames - kInt, kInt);
  check.field(to.code_identity_begin, from.tuple.item_count + kPointer, kPointer);
  check.field(to.code_identity_end, from.code.linetable + kPointer, kPointer);
}

template <class Shape>
void check_objects(const Shape& from, pyc_layout& to, Checker& check) {
  check.structure(from.object.size, 16, 64);
  check.field(to.object_type, from.object.type, kPointer);
  check.structure(from.type.size, 256, 4096);
  check.field(to.type_name, from.type.name, kPointer);
  check.field(to.type_flags, from.type.flags, kPointer);
  // Where a type ends, its heap type goes on: tp_name, tp_basicsize; tp_flags, 10 pointers, tp_base, tp_dict,
  // tp_descr_get, tp_descr_set, tp_dictoffset.
  check.field(to.type_basicsize, from.type.name + kPointer, kPointer);
  check.field(to.type_base, from.type.flags + 11 * kPointer, kPointer);
  check.field(to.type_dictoffset, from.type.flags + 15 * kPointer, kPointer);
  check.structure(from.type.size + kHeapType, 512, 4096);
  check.field(to.type_cached_keys, from.type.size + kCachedKeys, kPointer);
  check.structure(from.tuple.size, 24, 256);
  check.field(to.var_size, from.tuple.item_count, kPointer);
  check.field(to.tuple_items, from.tuple.items, kPointer);
  check.structure(from.list.size, 32, 256);
  check.field(to.list_items, from.list.items, kPointer);
  check.structure(from.dict.size, 48, 256);
  check.field(to.dict_keys, from.dict.keys, kPointer);
  check.field(to.dict_values, from.dict.values, kPointer);
  check.structure(from.floating.size, 24, 256);
  check.field(to.float_value, from.floating.value, kPointer);
  check.structure(from.integer.size, 28, 256);
  check.field(to.long_tag, from.integer.tag, kPointer);
  check.field(to.long_digits, from.integer.digits, kInt);
  check.structure(from.bytes.size, 33, 256);
  check.field(to.bytes_data, from.bytes.data, 1);
}

template <class Shape>
void check_text(const Shape& from, pyc_layout& to, Checker& check) {
  check.structure(from.unicode.size, 48, 256);
  check.field(to.unicode_length, from.unicode.length, kPointer);
  check.field(to.unicode_state, from.unicode.state, kInt);
  check.field(to.unicode_ascii_data, from.unicode.ascii_size, kPointer);
  // Neighbours in all versions: length, hash; the ASCII form, utf8_length, utf8, the characters.
  check.field(to.unicode_hash, from.unicode.length + kPointer, kPointer);
  check.field(to.unicode_compact_data, from.unicode.ascii_size + 2 * kPointer, kPointer);
}

template <class Shape>
Status apply_shape(const TargetMemory& memory, RemoteAddress runtime, pyc_layout& layout) {
  PYC_TRY(const auto offsets, memory.read<Shape>(runtime));
  Checker check;
  check_runtime(offsets, layout, check);
  check_thread(offsets, layout, check);
  check_code(offsets, layout, check);
  check_objects(offsets, layout, check);
  check_text(offsets, layout, check);
  if (check.sane()) return {};
  return fail(ErrorCode::kFailed,
              "Python " + version_text(layout.version) +
                  " describes a layout that cannot be: its memory is damaged, or it is not CPython");
}

}  // namespace

Result<bool> read_free_threaded(const TargetMemory& memory, RemoteAddress runtime, uint32_t version_hex) {
  PYC_TRY(const auto header, memory.read<debug_offsets::Header>(runtime));
  if (std::memcmp(header.cookie, "xdebugpy", sizeof header.cookie) != 0 || header.version != version_hex) {
    return fail(ErrorCode::kFailed,
                "Python " + version_text(version_hex) +
                    " does not describe its own layout: its memory is damaged, or it is not CPython");
  }
  return header.free_threaded != 0;
}

Status apply_debug_offsets(const TargetMemory& memory, RemoteAddress runtime, DebugOffsetsShape shape,
                           pyc_layout& layout) {
  switch (shape) {
    case DebugOffsetsShape::kNone:
      break;
    case DebugOffsetsShape::k313:
      return apply_shape<debug_offsets::Shape313>(memory, runtime, layout);
    case DebugOffsetsShape::k314:
      return apply_shape<debug_offsets::Shape314>(memory, runtime, layout);
    case DebugOffsetsShape::k315:
      return apply_shape<debug_offsets::Shape315>(memory, runtime, layout);
  }
  return {};
}

}  // namespace pycroscope

// The walk of one thread's Python frames, leaf first.
#pragma once

#include "bpf/lib/code.h"

#define PYC_MAX_OWNER 4
#define PYC_CFRAME_BYTES 24
// Shims of C calls stand between the frames and are not counted.
#define PYC_MAX_FRAME_STEPS (3 * PYC_MAX_FRAMES)

static inline long pyc_fail(struct pyc_scratch* scratch, pyc_u32 error) {
  scratch->error = error;
  return 1;
}

// The bytes of a frame; null when it cannot be read. Frames mostly stand one below the other in a thread's data stack,
// so that the rest of a frame's page brings its callers too: a read costs more than what it copies. Frames of
// generators stand alone in the heap.
static inline const unsigned char* pyc_read_frame(struct pyc_scratch* scratch, pyc_u64 frame) {
  pyc_u32 size = scratch->process.layout.frame_size;
  pyc_u64 offset = frame - scratch->window_begin;
  if (offset >= PYC_PAGE || offset + size > scratch->window_size) {
    int is_below = scratch->walk.callee - frame < PYC_PAGE;
    pyc_u64 begin = is_below ? frame & -(pyc_u64)PYC_PAGE : frame;
    offset = frame - begin;
    pyc_u64 end = offset + size;
    if (end > PYC_PAGE + PYC_FRAME_BYTES || pyc_read(scratch->window, end, begin)) return 0;
    scratch->window_begin = begin;
    scratch->window_size = end;
  }
  return scratch->window + (offset & (PYC_PAGE - 1));
}

// What runs in the frame at `bytes`: the address of its code object, without the tag of the reference.
static inline pyc_u64 pyc_frame_code(const struct pyc_scratch* scratch, const unsigned char* bytes) {
  const struct pyc_layout* layout = &scratch->process.layout;
  return pyc_u64_at(bytes, layout->frame_code & 0x78) & ~(pyc_u64)layout->stackref_tag;
}

// Where the bytecode begins that a frame of `code` executes. In free-threaded builds each thread has a copy of its own,
// the first of which stands in the code object.
static inline pyc_u64 pyc_bytecode(struct pyc_scratch* scratch, const unsigned char* bytes, pyc_u64 code) {
  const struct pyc_layout* layout = &scratch->process.layout;
  if (layout->frame_tlbc_index == PYC_NO_OFFSET) return code + layout->code_instructions;
  pyc_u32 index = pyc_u32_at(bytes, layout->frame_tlbc_index & 0x7c);
  if (!index) return code + layout->code_instructions;
  // _PyCodeArray: its size, then the copies' addresses.
  long failed = 0;
  pyc_u64 copies = pyc_read_u64(code + layout->code_tlbc, &failed);
  pyc_u64 bytecode = pyc_read_u64(copies + 8 + 8 * (pyc_u64)index, &failed);
  if (failed) scratch->error = PYC_ERROR_CODE_READ;
  return bytecode;
}

// The offset of the frame's instruction in its bytecode, in bytes.
static inline long pyc_offset(struct pyc_scratch* scratch, const unsigned char* bytes, pyc_u64 code) {
  const struct pyc_layout* layout = &scratch->process.layout;
  if (layout->instr_kind < PYC_INSTR_LASTI_BYTES)
    return pyc_u64_at(bytes, layout->frame_instr & 0x78) - pyc_bytecode(scratch, bytes, code);
  long lasti = (pyc_s32)pyc_u32_at(bytes, layout->frame_instr & 0x7c);
  return layout->instr_kind == PYC_INSTR_LASTI_UNITS ? lasti * 2 : lasti;
}

static long pyc_walk_step(pyc_u32 step, struct pyc_scratch** context) {
  struct pyc_scratch* scratch = *context;
  const struct pyc_layout* layout = &scratch->process.layout;
  struct pyc_walk* walk = &scratch->walk;
  pyc_u64 frame = walk->frame;
  pyc_u32 count = walk->count;
  if (!frame) return 1;
  if (frame == walk->expected) walk->expected = 0;
  if (count >= PYC_MAX_FRAMES) {
    walk->flags = PYC_SAMPLE_TRUNCATED;
    return 1;
  }
  const unsigned char* bytes = pyc_read_frame(scratch, frame);
  if (!bytes) return pyc_fail(scratch, PYC_ERROR_FRAME_READ);
  walk->callee = frame;
  walk->frame = pyc_u64_at(bytes, layout->frame_previous & 0x78);
  pyc_u32 owner = layout->frame_owner == PYC_NO_OFFSET ? 0 : bytes[layout->frame_owner & 0x7f];
  if (owner > PYC_MAX_OWNER) return pyc_fail(scratch, PYC_ERROR_BAD_FRAME);
  if (owner >= layout->frame_owner_shim) return 0;

  pyc_u64 code = pyc_frame_code(scratch, bytes);
  const struct pyc_memo* memo = pyc_identify_code(scratch, code);
  if (!memo) return 1;
  long offset = pyc_offset(scratch, bytes, code);
  if (scratch->error) return 1;
  if (offset < -2 || offset >= (long)memo->size) return pyc_fail(scratch, PYC_ERROR_BAD_FRAME);
  scratch->frames[count].identity = memo->value;
  scratch->frames[count].offset = offset;
  walk->count = count + 1;
  return 0;
}

__noinline int pyc_walk_frames(pyc_u64 frame, pyc_u64 expected) {
  struct pyc_scratch* scratch = pyc_get_scratch();
  if (!scratch) return 0;
  scratch->walk.frame = frame;
  scratch->walk.expected = expected;
  scratch->walk.callee = scratch->window_size = 0;
  scratch->walk.count = scratch->walk.flags = 0;
  scratch->error = PYC_OK;
  bpf_loop(PYC_MAX_FRAME_STEPS, pyc_walk_step, &scratch, 0);
  if (scratch->walk.frame && !scratch->walk.flags && !scratch->error) scratch->error = PYC_ERROR_CYCLE;
  return 0;
}

// 3.11 and 3.12: each C call of the evaluation loop has a _PyCFrame on the C stack, which points to the frame that it
// runs, and whose chain of frames leads to the frame that the previous _PyCFrame runs. A new _PyCFrame is published
// before it is filled (https://github.com/python/cpython/blob/v3.11.7/Python/ceval.c#L1749): where it does not fit, the
// stack is that of the previous one, which is the truth of a moment ago.
static inline void pyc_walk_cframes(struct pyc_scratch* scratch, pyc_u64 cframe) {
  const struct pyc_layout* layout = &scratch->process.layout;
  if (!cframe) return;
  if (pyc_read(scratch->object, PYC_CFRAME_BYTES, cframe)) {
    scratch->error = PYC_ERROR_FRAME_READ;
    return;
  }
  long failed = 0;
  pyc_u64 frame = pyc_u64_at(scratch->object, layout->cframe_current_frame & 0x38);
  pyc_u64 previous = pyc_u64_at(scratch->object, layout->cframe_previous & 0x38);
  pyc_u64 expected = previous ? pyc_read_u64(previous + layout->cframe_current_frame, &failed) : 0;
  if (failed) {
    scratch->error = PYC_ERROR_FRAME_READ;
    return;
  }
  pyc_walk_frames(frame, expected);
  if (!scratch->walk.expected || scratch->walk.flags || scratch->error == PYC_ERROR_NAME_READ) return;
  pyc_walk_frames(expected, 0);
}

// Leaves the stack of the thread in scratch->thread in scratch->frames and scratch->walk. May set scratch->error.
static inline void pyc_walk_thread(struct pyc_scratch* scratch) {
  const struct pyc_layout* layout = &scratch->process.layout;
  pyc_u64 first = pyc_u64_at(scratch->thread, layout->thread_frame & 0xf8);
  scratch->walk.count = scratch->walk.flags = 0;
  if (layout->frame_kind == PYC_FRAME_CFRAME)
    pyc_walk_cframes(scratch, first);
  else
    pyc_walk_frames(first, 0);
}

// The walk of one thread's Python frames, leaf first.
#pragma once

#include "bpf/lib/code.h"

#define PYC_MAX_OWNER 4
// Shims of C calls stand between the frames and are not counted.
#define PYC_MAX_FRAME_STEPS (3 * PYC_MAX_FRAMES)

static inline long pyc_fail(struct pyc_scratch* scratch, pyc_u32 error) {
  scratch->error = error;
  return 1;
}

static long pyc_walk_step(pyc_u32 step, struct pyc_scratch** context) {
  const struct pyc_layout* layout = &pyc_settings.layout;
  struct pyc_scratch* scratch = *context;
  struct pyc_walk* walk = &scratch->walk;
  pyc_u64 frame = walk->frame;
  pyc_u32 count = walk->count;
  if (!frame) return 1;
  if (frame == walk->expected) walk->expected = 0;
  if (count >= PYC_MAX_FRAMES) {
    walk->flags = PYC_SAMPLE_TRUNCATED;
    return 1;
  }
  pyc_u32 size = layout->frame_size;
  if (size > PYC_FRAME_BYTES) size = PYC_FRAME_BYTES;
  if (pyc_read(scratch->frame, size, frame)) return pyc_fail(scratch, PYC_ERROR_FRAME_READ);
  walk->frame = pyc_u64_at(scratch->frame, layout->frame_previous & 0x78);
  pyc_u32 owner = scratch->frame[layout->frame_owner & 0x7f];
  if (owner == layout->frame_owner_cstack) return 0;
  if (owner > PYC_MAX_OWNER) return pyc_fail(scratch, PYC_ERROR_BAD_FRAME);

  pyc_u64 code = pyc_u64_at(scratch->frame, layout->frame_code & 0x78);
  const struct pyc_memo* memo = pyc_identify_code(scratch, code);
  if (!memo) return 1;
  long offset = pyc_u64_at(scratch->frame, layout->frame_instr & 0x78) - code - layout->code_instructions;
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
  const struct pyc_layout* layout = &pyc_settings.layout;
  if (!cframe) return;
  long failed = 0;
  pyc_u64 frame = pyc_read_u64(cframe + layout->cframe_current_frame, &failed);
  pyc_u64 previous = pyc_read_u64(cframe + layout->cframe_previous, &failed);
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
  const struct pyc_layout* layout = &pyc_settings.layout;
  pyc_u64 first = pyc_u64_at(scratch->thread, layout->thread_frame & 0xf8);
  scratch->walk.count = scratch->walk.flags = 0;
  if (layout->frame_kind == PYC_FRAME_CFRAME)
    pyc_walk_cframes(scratch, first);
  else
    pyc_walk_frames(first, 0);
}

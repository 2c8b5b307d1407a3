// The hooks of CPython before 3.12: a function that evaluates frames in place of Python's own (PEP 523), and functions
// that trace and profile, which only those collectors have that need them.
#pragma once

#include "daemon/probe/tell.h"

// Frames of 3.11 are no objects; before they are frame objects.
typedef const char pyc_frame;

static inline PyObject* pyc_code_of(pyc_frame* frame) {
  return *(PyObject* const*)(frame + pyc_probe.layout.frame_code);
}

// Of a frame object.
static inline pyc_frame* pyc_frame_of(const void* object) {
  const uint32_t at = pyc_probe.layout.object_frame;
  return at ? *(pyc_frame* const*)((const char*)object + at) : object;
}

// The one that a thread executes; null: it executes none.
pyc_frame* pyc_current_frame(const void* state);
// In bytes; -1: before the first.
int64_t pyc_instruction_of(pyc_frame* frame);

// Of a generator or coroutine.
int pyc_is_generator(PyObject* code);
// A generator's, which is being entered: whether it goes on with what it has begun before.
int pyc_has_begun(pyc_frame* frame);
// A generator's, which is being left: whether it will go on.
int pyc_is_suspended(pyc_frame* frame);

// Whether it is about to let an exception go on, which it has already ended to handle.
int pyc_is_at_reraise(pyc_frame* frame);

// Of a frame object: whether each instruction of it is told to a function that traces.
static inline void pyc_trace_opcodes(const void* object, int is_told) {
  *((char*)(uintptr_t)object + pyc_probe.layout.object_trace_opcodes) = is_told != 0;
}

// How a frame is entered or left, as the ring has it.
static inline uint32_t pyc_entry(pyc_frame* frame, PyObject* code) {
  return pyc_is_generator(code) && pyc_has_begun(frame) ? PYC_RING_RESUME : PYC_RING_CALL;
}
static inline uint32_t pyc_exit(pyc_frame* frame, PyObject* code, const PyObject* result) {
  if (!result) return PYC_RING_UNWIND;
  return pyc_is_generator(code) && pyc_is_suspended(frame) ? PYC_RING_YIELD : PYC_RING_RETURN;
}

// What was on a thread's stack before the probe came, the root-most first: events tell that it has ended.
void pyc_remember_standing(struct pyc_thread* thread, const struct pyc_standing* frames, uint32_t count);
// Before an event, of what is on the stack: tells what of it has ended.
void pyc_settle_stack(const struct pyc_moment* moment);

// Collectors that need a function that traces.
enum { kPycOfTrace = PYC_PROBE_LINE | PYC_PROBE_INSTRUCTION | PYC_PROBE_EXCEPTION };

// Which of Python's two hooks are in. Where one of them is it tells of calls, too.
int pyc_needs_profile(void);
// Whether evaluating frames shows all calls: otherwise the hooks have to.
int pyc_evaluates_all(void);
int pyc_needs_trace(void);
// Where somebody else's function is in a place that is needed nothing is put in, and the sentence says so.
const char* pyc_install_trace_functions(void);
void pyc_remove_trace_functions(void);
// The calling thread, whose state it is, is new, or somebody has taken the hooks out: 0 when others have put in theirs.
int pyc_arm_thread(void* state);
int pyc_is_armed(const void* state);

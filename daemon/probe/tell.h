// How hooks say what happened.
#pragma once

#include "daemon/probe/state.h"

static inline uint64_t pyc_clock(void) {
  if (pyc_probe.control->clock == PYC_PROBE_CLOCK_TSC) return __builtin_ia32_rdtsc();
  int64_t time[2];
  pyc_probe.api.clock_gettime(1 /* CLOCK_MONOTONIC */, time);
  return (uint64_t)time[0] * 1000000000u + (uint64_t)time[1];
}

// Whether somebody reads what is written.
static inline int pyc_is_read(uint64_t now) {
  const struct pyc_probe_control* control = pyc_probe.control;
  const int64_t silent = (int64_t)(now - __atomic_load_n(&control->heartbeat, __ATOMIC_RELAXED));
  return silent <= (int64_t)control->patience;
}

// An event that a hook is about to tell of: when, and by whom.
struct pyc_moment {
  uint64_t time;              // as the rings have it
  struct pyc_thread* thread;  // null: nothing is to be told
};

// Gives the calling thread a ring if it has none, and puts what is on its stack into it: what `type` is about to
// enter, which its leaf-most frame is, not.
struct pyc_thread* pyc_admit_thread(void* state, uint64_t id, uint64_t time, uint32_t type);

// In a child that was forked: takes an area of its own, where children are to be followed and there is one left.
int pyc_begin_child(uint64_t now);

static inline uint64_t pyc_state_id(void* state) {
  const uint32_t field = pyc_probe.layout.thread_unique_id;
  return field ? *(const uint64_t*)((const char*)state + field) : pyc_probe.api.thread_state_id(state);
}

// `state`: the thread's. `type`: of the event to be told.
static inline struct pyc_moment pyc_begin_in(void* state, uint32_t type) {
  struct pyc_moment moment = {0, NULL};
  if (!pyc_probe.records) return moment;
  const uint64_t now = pyc_clock();
  if ((!*pyc_probe.is_parent && !pyc_begin_child(now)) || !pyc_is_read(now)) {
    pyc_remove_hooks();
    return moment;
  }
  moment.time = now - pyc_probe.control->origin;
  const uint64_t id = pyc_state_id(state);
  struct pyc_thread* thread = pyc_find_thread(&pyc_probe.threads, state, id);
  if (!thread) thread = pyc_admit_thread(state, id, moment.time, type);
  if (thread && pyc_continue_ring(thread)) {
    moment.thread = thread;
    return moment;
  }
  __atomic_fetch_add(&pyc_probe.control->unrecorded, 1, __ATOMIC_RELAXED);
  // There may be a ring for it later.
  enum { kTryAgain = 64, kNobody = 0 };
  if (thread && ++thread->missed % kTryAgain == 0) thread->id = kNobody;
  return moment;
}

// The same of a thread that has told of an event before, and is the calling one. In a child that was forked since then
// nothing of it is to be told.
static inline struct pyc_moment pyc_begin_again(struct pyc_thread* thread) {
  struct pyc_moment moment = {0, NULL};
  // It may have been in another recording.
  if (!pyc_probe.records || thread->generation != pyc_probe.generation) return moment;
  const uint64_t now = pyc_clock();
  if ((!*pyc_probe.is_parent && !pyc_begin_child(now)) || !pyc_is_read(now)) {
    pyc_remove_hooks();
    return moment;
  }
  moment.time = now - pyc_probe.control->origin;
  const uintptr_t place = (uintptr_t)thread - (uintptr_t)pyc_probe.threads.entries;
  if (place < kPycThreadEntries * sizeof *thread && pyc_continue_ring(thread)) moment.thread = thread;
  return moment;
}

static inline struct pyc_moment pyc_begin(uint32_t type) {
  return pyc_begin_in(pyc_probe.records ? pyc_probe.api.thread_state() : NULL, type);
}

// Before an event whose place matters, what of the stack and of where it is in it is not known from others.
void pyc_tell_place(const struct pyc_moment* moment);

static inline void pyc_tell(const struct pyc_moment* moment, uint32_t type, uint32_t id) {
  pyc_ring_write(&moment->thread->writer, type, moment->time, id, 0, NULL, 0);
}

// A C function or method, as setprofile tells of them, is called by a function of Python's, and has returned or raised;
// of all else that can be called nothing is told.
void pyc_tell_c_call(PyObject* code, PyObject* callable);
void pyc_tell_c_return(PyObject* code, PyObject* callable);

static inline uint32_t pyc_code_id(PyObject* code) {
  const uint32_t id = pyc_find_id(&pyc_probe.definitions.by_code, (uint64_t)(uintptr_t)code);
  return id ? id : pyc_define_code(code);
}

// The number of a place. Places of functions that are not told of, and those that have been told of often enough, have
// the number 0 with `is_over` set: none of them is to be told of.
struct pyc_place {
  uint32_t id;
  uint32_t is_over;
};

static inline struct pyc_place pyc_use_place(PyObject* code, uint64_t within, int64_t line, int64_t offset) {
  struct pyc_definitions* d = &pyc_probe.definitions;
  const uint32_t function = pyc_code_id(code);
  if (function & PYC_HIDDEN) return (struct pyc_place){0, 1};
  const uint64_t place = (uint64_t)function << 32 | within;
  const uint64_t most = pyc_probe.control->max_hits;
  uint32_t uses = 0;
  uint32_t id = most ? pyc_use_id(&d->by_place, place, &uses) : pyc_find_id(&d->by_place, place);
  if (most && uses > most) return (struct pyc_place){0, 1};
  if (!id) id = pyc_define_place(function, place, code, line, offset);
  return (struct pyc_place){id, 0};
}

static inline struct pyc_place pyc_use_line(PyObject* code, uint64_t line) {
  return pyc_use_place(code, line, (int64_t)line, -1);
}

static inline struct pyc_place pyc_use_instruction(PyObject* code, uint64_t offset) {
  return pyc_use_place(code, 1u << 31 | offset, -1, (int64_t)offset);
}

// Of a line that something else is told of.
static inline uint32_t pyc_line_id(PyObject* code, uint64_t line) {
  const uint32_t function = pyc_code_id(code) & ~PYC_HIDDEN;
  const uint64_t place = (uint64_t)function << 32 | line;
  const uint32_t id = pyc_find_id(&pyc_probe.definitions.by_place, place);
  return id ? id : pyc_define_place(function, place, code, (int64_t)line, -1);
}

// The line at an offset of the code; 0: unknown.
static inline uint32_t pyc_line_id_at(PyObject* code, uint64_t offset) {
  // What a handler begins with belongs to no line.
  enum { kWithoutLine = 16 };
  for (uint64_t at = offset; at < offset + kWithoutLine; at += 2) {
    const int line = pyc_probe.api.line_of(code, (int)at);
    if (line >= 0) return pyc_line_id(code, (uint64_t)line);
  }
  return 0;
}

// What tells an exception apart from others that are alive.
static inline uint32_t pyc_exception_key(const void* exception) { return (uint32_t)((uintptr_t)exception >> 4); }

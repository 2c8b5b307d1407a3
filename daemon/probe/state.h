// The one probe of a process, and what its parts share.
#pragma once

#include "daemon/probe/definitions.h"
#include "daemon/probe/thread_rings.h"

struct pyc_probe {
  struct pyc_probe_api api;
  struct pyc_probe_layout layout;
  struct pyc_probe_control* control;
  struct pyc_probe_control* root;  // of the process that was attached to, which this one may be a child of
  struct pyc_definitions definitions;
  struct pyc_threads threads;
  PyObject* opcode_names;  // the list opcode.opname, where instructions are told of
  uint32_t* is_parent;     // 0 in a child that was forked: what is shared is its parent's
  uint32_t collectors;
  uint32_t free_threaded;
  uint32_t inside;  // how many threads are between pyc_hold_error() and pyc_restore_error()
  uint32_t records;
  uint32_t is_removed;  // or about to be
  uint64_t generation;  // of the recording
};
extern struct pyc_probe pyc_probe;

// How writers of rings wait and wake.
extern const struct pyc_ring_means pyc_probe_means;

// The name by which the target's other tools see it.
#define PYC_PROBE_NAME "pycroscope"

// A function of an object with one to three arguments, all of which it takes over. Null, and no exception, on failure.
PyObject* pyc_call_method(PyObject* object, const char* name, PyObject* a, PyObject* b, PyObject* c);
// Whether a call has given something, which is not needed.
int pyc_is_done(PyObject* result);
void pyc_release(PyObject* object);  // which may be null
// An attribute of an object, and what a mapping or a list has; null, and no exception, where there is none, or no
// object.
PyObject* pyc_attribute(PyObject* object, const char* name);
PyObject* pyc_item(PyObject* container, PyObject* key);
PyObject* pyc_item_of_name(PyObject* mapping, const char* name);

// Around what asks Python for something, which may let other threads have the GIL: an exception that is set, which
// calls of Python would replace.
struct pyc_held_error {
  PyObject *type, *value, *traceback;
};
struct pyc_held_error pyc_hold_error(void);
void pyc_restore_error(struct pyc_held_error error);

// Takes all hooks out: nothing more comes.
void pyc_remove_hooks(void);

// The hooks of sys.monitoring, of CPython 3.12 and later. Null, or why they cannot be put in.
const char* pyc_install_monitoring(void);
void pyc_remove_monitoring(void);
// A function in place of the one that evaluates Python's frames, and functions that trace and profile, of versions
// before that.
void pyc_start_frames(void);
const char* pyc_install_evaluator(void);
void pyc_remove_evaluator(void);
// What gc.callbacks calls.
const char* pyc_install_gc(void);
void pyc_remove_gc(void);

// A module of the standard library. It, and what it imports itself, `names` with a null at the end, is not left in
// sys.modules where it was not there. Null, and no exception, on failure.
PyObject* pyc_import(const char* const* names);

// A Python object that calls `function` as `tp_vectorcall` does; null, and no exception, on failure.
typedef PyObject* (*pyc_vectorcall)(PyObject* self, PyObject* const* arguments, size_t count, PyObject* names);
PyObject* pyc_new_callable(pyc_vectorcall function);

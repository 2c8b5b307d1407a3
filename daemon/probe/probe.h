// What the daemon tells the probe, and what the probe answers. Plain C: the probe runs in the target and depends on
// nothing; the addresses of all that it calls there come from the daemon.
#pragma once

#include "daemon/probe/ring.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PYC_PROBE_MAGIC 0x45424f5250435901ull
#define PYC_PROBE_MAX_THREADS 500u
#define PYC_PROBE_MESSAGE 240u

// Of pyc_probe_control.state, the probe's.
enum pyc_probe_state {
  PYC_PROBE_LOADED = 0,
  PYC_PROBE_RECORDS = 1,
  PYC_PROBE_REMOVED = 2,  // its hooks are: nothing more comes
  PYC_PROBE_FAILED = 3,   // `message` says why; it has no hooks
};

// Collectors, as bits.
enum pyc_probe_collector { PYC_PROBE_CALL = 1u << 0 };

// Of a thread's ring.
enum pyc_probe_ring_state {
  PYC_PROBE_RING_FREE = 0,
  PYC_PROBE_RING_CLAIMED = 1,  // the probe's: a thread writes
};

struct pyc_probe_thread {
  uint32_t state;
  int32_t tid;
  uint64_t ident;  // pthread_self()
  uint64_t padding[2];
};

// At the start of the memory that both map; the rings follow.
struct pyc_probe_control {
  uint64_t magic;
  // The daemon's, before the probe starts.
  uint32_t thread_slots, definition_slots;  // of the rings
  uint64_t definitions_at;                  // where the ring of definitions is, from the start of the memory
  uint64_t rings_at, ring_stride;           // and the first of PYC_PROBE_MAX_THREADS others, and each next one
  // The daemon's, all the time.
  uint64_t heartbeat_ns;  // CLOCK_MONOTONIC; without it for a second the probe removes its hooks
  uint32_t cancelled;     // what has not begun yet is not to begin
  uint32_t padding_0;
  // The probe's.
  uint32_t state;
  uint32_t padding_1;
  uint64_t unrecorded;  // events of threads for which there was no ring
  char message[PYC_PROBE_MESSAGE];
  struct pyc_probe_thread threads[PYC_PROBE_MAX_THREADS];
};

typedef struct PyObject PyObject;

// Functions and objects of the target, as CPython and the C library export them; null where it has none.
struct pyc_probe_api {
  PyObject* none;
  int (*gil_ensure)(void);
  void (*gil_release)(int);
  void* (*thread_state)(void);         // PyThreadState_Get
  uint64_t (*thread_state_id)(void*);  // PyThreadState_GetID
  PyObject* (*frame)(void*);           // PyThreadState_GetFrame
  PyObject* (*frame_back)(PyObject*);
  PyObject* (*frame_code)(PyObject*);
  PyObject* (*sys_object)(const char*);  // borrowed
  PyObject* (*attribute)(PyObject*, const char*);
  PyObject* (*call)(PyObject*, ...);  // PyObject_CallFunctionObjArgs
  PyObject* (*new_long)(long);
  long (*long_value)(PyObject*);
  PyObject* (*new_text)(const char*);
  const char* (*utf8)(PyObject*, intptr_t*);
  PyObject* (*encoded)(PyObject*, const char*, const char*);  // PyUnicode_AsEncodedString
  char* (*bytes)(PyObject*);
  intptr_t (*bytes_size)(PyObject*);
  PyObject* (*new_function)(void* definition, PyObject* self, PyObject* module);  // PyCFunction_NewEx
  void (*retain)(PyObject*);
  void (*release)(PyObject*);
  void (*clear_error)(void);
  intptr_t (*request_code_extra)(void (*)(void*));
  int (*set_code_extra)(PyObject*, intptr_t, void*);
  int (*clock_gettime)(int, void*);
  uintptr_t (*pthread_self)(void);
  int (*pthread_create)(void*, const void*, void* (*)(void*), void*);
  int (*pthread_detach)(uintptr_t);
};

// An argument of the probe's entries.
struct pyc_probe_command {
  struct pyc_probe_api api;
  struct pyc_probe_control* control;
  uint32_t collectors;  // pyc_probe_collector; none: remove the hooks
  uint32_t free_threaded;
};

// What the image of the probe begins with.
struct pyc_probe_entries {
  void* (*thread)(void* command);      // of a thread of its own, which it ends: does what the command says
  int (*pending)(void* command);       // of Py_AddPendingCall: the same
  int (*start_thread)(void* command);  // begins such a thread; what pthread_create() returns
  void (*trap)(void);                  // an int3 instruction
};

#ifdef __cplusplus
}
static_assert(sizeof(pyc_probe_thread) == 32);
#endif

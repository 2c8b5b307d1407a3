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
#define PYC_PROBE_GLOBS 4096u

// Of pyc_probe_control.state, the probe's.
enum pyc_probe_state {
  PYC_PROBE_LOADED = 0,
  PYC_PROBE_RECORDS = 1,
  PYC_PROBE_REMOVED = 2,  // its hooks are: nothing more comes
  PYC_PROBE_FAILED = 3,   // `message` says why; it has no hooks
};

// What is recorded, as bits.
enum pyc_probe_collector {
  PYC_PROBE_CALL = 1u << 0,
  PYC_PROBE_C_CALL = 1u << 1,
  PYC_PROBE_LINE = 1u << 2,
  PYC_PROBE_INSTRUCTION = 1u << 3,
  PYC_PROBE_GC = 1u << 4,
  PYC_PROBE_IMPORT = 1u << 5,
  PYC_PROBE_EXCEPTION = 1u << 6,
};

// By what the target tells of what it executes.
enum pyc_probe_hooks {
  PYC_PROBE_MONITORING = 0,  // sys.monitoring
  PYC_PROBE_EVALUATOR = 1,   // evaluating its frames (PEP 523), and functions that trace and profile
  PYC_PROBE_FRAMES = 2,      // the same, where who evaluates a frame is not given the thread state
};

// How a frame says where it is in its code.
enum pyc_probe_instruction {
  PYC_PROBE_INSTRUCTION_POINTER = 0,
  PYC_PROBE_INSTRUCTION_BYTES = 1,  // an int, -1: before the first
  PYC_PROBE_INSTRUCTION_UNITS = 2,  // the same, in units of two bytes
};

// What the times of rings and the heartbeat count.
enum pyc_probe_clock {
  PYC_PROBE_CLOCK_MONOTONIC = 0,  // ns of CLOCK_MONOTONIC
  PYC_PROBE_CLOCK_TSC = 1,        // ticks of the time stamp counter, where it is the same on all CPUs and never stops
};

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
  uint64_t definitions_at;         // where the ring of definitions is, from the start of the memory
  uint64_t rings_at, ring_stride;  // and the first of PYC_PROBE_MAX_THREADS others, and each next one
  uint64_t origin;                 // times in the rings are since then
  uint64_t patience;               // how long the heartbeat may stand still until the probe removes its hooks
  uint64_t max_hits;               // of a place, after which it is told of no more; 0: any
  // Texts that end with a 0, an empty one at the end: "+" and a glob of files whose functions are to be told of, "-"
  // and one of those that are not.
  char globs[PYC_PROBE_GLOBS];
  uint32_t clock;         // pyc_probe_clock: of origin, patience and heartbeat
  uint32_t thread_count;  // how many rings of threads there are, at most PYC_PROBE_MAX_THREADS
  // Areas for children that are forked, each of which looks as all of this one, from here. In theirs there are none.
  uint32_t child_count;
  uint64_t children_at, child_stride;
  uint64_t size;  // of all the memory that is shared
  // The daemon's, all the time.
  uint32_t cancelled;  // what has not begun yet is not to begin, what records is to end
  uint64_t heartbeat;
  // Of an area for a child, the child's when it takes it, in its own pid namespace; the daemon's when that is 0 again.
  int32_t pid, parent_pid;
  // The probe's.
  uint32_t state;
  uint32_t wakes;       // a futex, which the daemon waits at
  uint64_t unrecorded;  // events of threads for which there was no ring
  char message[PYC_PROBE_MESSAGE];
  struct pyc_probe_thread threads[PYC_PROBE_MAX_THREADS];
};

typedef struct PyObject PyObject;

// Functions and objects of the target, as CPython and the C library export them; null where it has none.
struct pyc_probe_api {
  PyObject* none;
  void* c_function_type;         // PyCFunction_Type
  void* c_method_type;           // PyCMethod_Type, a kind of the former
  void* method_descriptor_type;  // PyMethodDescr_Type
  int (*gil_ensure)(void);
  void (*gil_release)(int);
  void* (*thread_state)(void);         // PyThreadState_Get
  uint64_t (*thread_state_id)(void*);  // PyThreadState_GetID
  PyObject* (*frame)(void*);           // PyThreadState_GetFrame
  PyObject* (*frame_back)(PyObject*);
  PyObject* (*frame_code)(PyObject*);
  int (*frame_line)(PyObject*);          // PyFrame_GetLineNumber
  int (*line_of)(PyObject*, int);        // PyCode_Addr2Line
  PyObject* (*traceback)(PyObject*);     // PyException_GetTraceback
  PyObject* (*sys_object)(const char*);  // borrowed
  PyObject* (*import)(const char*);      // PyImport_ImportModule
  PyObject* (*attribute)(PyObject*, const char*);
  PyObject* (*call)(PyObject*, ...);  // PyObject_CallFunctionObjArgs
  PyObject* (*item)(PyObject*, PyObject*);
  PyObject* (*new_long)(long);
  long (*long_value)(PyObject*);
  PyObject* (*new_text)(const char*);
  const char* (*utf8)(PyObject*, intptr_t*);
  PyObject* (*encoded)(PyObject*, const char*, const char*);  // PyUnicode_AsEncodedString
  char* (*bytes)(PyObject*);
  intptr_t (*bytes_size)(PyObject*);
  PyObject* (*new_type)(void*);                               // PyType_FromSpec
  PyObject* (*new_object)(PyObject*);                         // _PyObject_New
  PyObject* (*call_vector)(PyObject*, PyObject*, PyObject*);  // PyVectorcall_Call
  void (*fetch_error)(PyObject**, PyObject**, PyObject**);    // PyErr_Fetch
  void (*restore_error)(PyObject*, PyObject*, PyObject*);     // PyErr_Restore
  void (*retain)(PyObject*);
  void (*release)(PyObject*);
  void (*clear_error)(void);
  intptr_t (*request_code_extra)(void (*)(void*));
  int (*set_code_extra)(PyObject*, intptr_t, void*);
  int (*clock_gettime)(int, void*);
  uintptr_t (*pthread_self)(void);
  int (*pthread_create)(void*, const void*, void* (*)(void*), void*);
  int (*pthread_detach)(uintptr_t);
  // Of pthread_attr_t; null where the C library has no pthread_getattr_np().
  int (*pthread_attributes)(uintptr_t, void*);
  int (*pthread_stack)(const void*, void**, uint64_t*);
  int (*pthread_end_attributes)(void*);
  // Null where sys.monitoring is used.
  void* evaluate;             // _PyEval_EvalFrameDefault
  void* (*evaluator)(void*);  // _PyInterpreterState_GetEvalFrameFunc, and ..._SetEvalFrameFunc, or null
  void (*set_evaluator)(void*, void*);
  void (*set_profile)(void*, PyObject*);  // PyEval_SetProfile, and PyEval_SetTrace
  void (*set_trace)(void*, PyObject*);
  int (*set_profile_of)(void*, void*, PyObject*);  // _PyEval_SetProfile, and _PyEval_SetTrace: of a thread, or null
  int (*set_trace_of)(void*, void*, PyObject*);
  void* (*first_thread)(void*);                         // PyInterpreterState_ThreadHead
  void* (*next_thread)(void*);                          // PyThreadState_Next
  void* (*swap_thread)(void*);                          // PyThreadState_Swap
  void (*handled)(PyObject**, PyObject**, PyObject**);  // PyErr_GetExcInfo
  void** opcode_targets;  // where the interpreter finds the code of each opcode; null: not known
};

// Where the target's objects have what the probe reads of them, in bytes.
struct pyc_probe_layout {
  uint32_t header;  // sizeof(PyObject)
  uint32_t object_type;
  uint32_t long_tag, long_digits;  // of ints in the form of 3.12 and later
  uint32_t tuple_items;
  uint32_t hooks;        // pyc_probe_hooks
  uint32_t instruction;  // pyc_probe_instruction
  // All that follow are of hooks other than sys.monitoring, and 0 where there is no such field.
  uint32_t interpreter_evaluate;
  uint32_t thread_interpreter, thread_frame, thread_profile, thread_trace, thread_unique_id;
  uint32_t current_frame;  // of what thread_frame points at; 0: that is the frame
  uint32_t frame_previous, frame_code, frame_instruction, frame_owner, frame_locals;
  uint32_t generator_is_stack;  // 1: `generator_state` is a pointer, null but while it is suspended; 0: a byte, -1 then
  int32_t generator_state;      // from its frame
  uint32_t code_flags, code_instructions;
  uint32_t object_frame, object_line, object_trace_opcodes;  // of frame objects; object_frame 0: they are the frames
  uint32_t opcode_getitem;    // one that calls a function which is not evaluated, 0: there is none
  uint32_t opcode_subscript;  // what it stands for
  uint32_t opcode_targets_writable;
};

// An argument of the probe's entries.
struct pyc_probe_command {
  struct pyc_probe_api api;
  struct pyc_probe_layout layout;
  struct pyc_probe_control* control;
  uint64_t generation;  // one that records is executed once, however often it comes
  uint32_t collectors;  // pyc_probe_collector; none: remove the hooks
  uint32_t free_threaded;
};

// What the image of the probe begins with.
struct pyc_probe_entries {
  void* (*thread)(void* command);      // of a thread of its own, which it ends: does what the command says
  int (*pending)(void* command);       // of Py_AddPendingCall: the same
  int (*start_thread)(void* command);  // begins such a thread; what pthread_create() returns
  void (*trap)(void);                  // an int3 instruction
  const uint32_t* records;             // not 0: its hooks are in
};

#ifdef __cplusplus
}
static_assert(sizeof(pyc_probe_thread) == 32);
#endif

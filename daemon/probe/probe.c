// The probe: records what a Python program does, from inside. A freestanding shared object without any dependency,
// which the daemon puts into the target by itself (daemon/inject): no loader of the target knows of it.
//
// All that it calls, it calls by the API's stable functions, whose addresses the daemon has looked up.
#include "daemon/probe/probe.h"

#include "daemon/probe/imports.h"
#include "daemon/probe/state.h"

struct pyc_probe pyc_probe;

static void wake_daemon(void) { pyc_wake(&pyc_probe.root->wakes); }
const struct pyc_ring_means pyc_probe_means = {pyc_pause_50us, wake_daemon};

void pyc_release(PyObject* object) {
  if (object) pyc_probe.api.release(object);
}

PyObject* pyc_attribute(PyObject* object, const char* name) {
  PyObject* found = object ? pyc_probe.api.attribute(object, name) : NULL;
  if (object && !found) pyc_probe.api.clear_error();
  return found;
}

PyObject* pyc_item(PyObject* container, PyObject* key) {
  PyObject* found = container && key ? pyc_probe.api.item(container, key) : NULL;
  if (container && key && !found) pyc_probe.api.clear_error();
  return found;
}

PyObject* pyc_item_of_name(PyObject* mapping, const char* name) {
  PyObject* key = pyc_probe.api.new_text(name);
  PyObject* found = pyc_item(mapping, key);
  pyc_release(key);
  return found;
}

PyObject* pyc_call_method(PyObject* object, const char* name, PyObject* a, PyObject* b, PyObject* c) {
  PyObject* method = object ? pyc_probe.api.attribute(object, name) : NULL;
  PyObject* result = method ? pyc_probe.api.call(method, a, b, c, NULL) : NULL;
  if (!result) pyc_probe.api.clear_error();
  PyObject* used[] = {method, a, b, c};
  for (unsigned i = 0; i < sizeof used / sizeof used[0]; ++i) pyc_release(used[i]);
  return result;
}

int pyc_is_done(PyObject* result) {
  pyc_release(result);
  return result != NULL;
}

struct pyc_held_error pyc_hold_error(void) {
  struct pyc_held_error error;
  __atomic_fetch_add(&pyc_probe.inside, 1, __ATOMIC_ACQ_REL);
  pyc_probe.api.fetch_error(&error.type, &error.value, &error.traceback);
  return error;
}

void pyc_restore_error(struct pyc_held_error error) {
  pyc_probe.api.restore_error(error.type, error.value, error.traceback);
  __atomic_fetch_sub(&pyc_probe.inside, 1, __ATOMIC_ACQ_REL);
}

PyObject* pyc_import(const char* const* names) {
  enum { kMost = 8 };
  const struct pyc_probe_api* api = &pyc_probe.api;
  PyObject* modules = api->sys_object("modules");
  PyObject* added[kMost] = {NULL};
  for (int i = 0; names[i] && i < kMost; ++i) {
    PyObject* name = api->new_text(names[i]);
    PyObject* there = name ? api->item(modules, name) : NULL;
    if (!there) api->clear_error();
    if (there) pyc_release(name);
    added[i] = there ? NULL : name;
    pyc_release(there);
  }
  PyObject* module = api->import(names[0]);
  if (!module) api->clear_error();
  for (int i = 0; i < kMost; ++i) {
    if (!added[i]) continue;
    api->retain(api->none);
    pyc_is_done(pyc_call_method(modules, "pop", added[i], api->none, NULL));
  }
  return module;
}

static PyObject* find_opcode_names(void) {
  static const char* const modules[] = {"opcode", "_opcode", "_opcode_metadata", NULL};
  PyObject* module = pyc_import(modules);
  PyObject* names = pyc_attribute(module, "opname");
  pyc_release(module);
  return names;
}

// As CPython's headers have them.
struct member {
  const char* name;
  int type;
  intptr_t offset;
  int flags;
  const char* documentation;
};
struct slot {
  int slot;
  void* value;
};
struct specification {
  const char* name;
  int basic_size, item_size;
  unsigned flags;
  struct slot* slots;
};

// Older versions have no such member of a type: there it is called with a tuple.
static PyObject* call_with_tuple(PyObject* self, PyObject* arguments, PyObject* names) {
  pyc_vectorcall function;
  memcpy(&function, (const char*)self + pyc_probe.layout.header, sizeof function);
  return function(self, (PyObject* const*)((const char*)arguments + pyc_probe.layout.tuple_items), 0, names);
}

PyObject* pyc_new_callable(pyc_vectorcall function) {
  enum { kSsize = 19, kReadOnly = 1, kCall = 50, kMembers = 72, kDefault = 1 << 18, kHasVectorcall = 1 << 11 };
  const int at = (int)pyc_probe.layout.header, is_vectorcall = pyc_probe.layout.hooks == PYC_PROBE_MONITORING;
  struct member members[] = {{"__vectorcalloffset__", kSsize, at, kReadOnly, NULL}, {NULL, 0, 0, 0, NULL}};
  struct slot vectorcall[] = {{kMembers, members}, {kCall, (void*)pyc_probe.api.call_vector}, {0, NULL}};
  struct slot tuple[] = {{kCall, (void*)call_with_tuple}, {0, NULL}};
  struct specification specification = {PYC_PROBE_NAME ".hook", at + (int)sizeof function, 0,
                                        is_vectorcall ? kDefault | kHasVectorcall : kDefault,
                                        is_vectorcall ? vectorcall : tuple};
  PyObject* type = pyc_probe.api.new_type(&specification);
  PyObject* object = type ? pyc_probe.api.new_object(type) : NULL;
  if (!object) pyc_probe.api.clear_error();
  pyc_release(type);
  if (object) memcpy((char*)object + at, &function, sizeof function);
  return object;
}

static void fail(const char* why) {
  pyc_copy_text(pyc_probe.control->message, why, PYC_PROBE_MESSAGE);
  __atomic_store_n(&pyc_probe.control->state, PYC_PROBE_FAILED, __ATOMIC_RELEASE);
}

static void take_out(void) {
  const struct pyc_held_error error = pyc_hold_error();
  pyc_probe.records = 0;
  if (pyc_probe.layout.hooks == PYC_PROBE_MONITORING)
    pyc_remove_monitoring();
  else
    pyc_remove_evaluator();
  pyc_remove_gc();
  pyc_stop_imports();
  pyc_release(pyc_probe.opcode_names);
  pyc_probe.opcode_names = NULL;
  pyc_restore_error(error);
}

// All that it has mapped, but for itself. Only with the GIL, and with no other thread where it needs any of that.
static void unmap(void) {
  struct pyc_probe* p = &pyc_probe;
  pyc_end_ids(&p->definitions.by_text);
  pyc_end_ids(&p->definitions.by_code);
  pyc_end_ids(&p->definitions.by_place);
  // Who evaluates frames comes back to what is its thread's.
  if (p->layout.hooks == PYC_PROBE_MONITORING) pyc_end_threads(&p->threads);
  pyc_end_fork_mark(p->is_parent);
  pyc_unmap(p->root, p->root->size);
  p->root = p->control = NULL;
}

void pyc_remove_hooks(void) {
  // Without a GIL threads come at the same time.
  if (__atomic_exchange_n(&pyc_probe.is_removed, 1, __ATOMIC_ACQ_REL)) return;
  take_out();
  // What a child that takes no area of its own sees is its parent's.
  if (*pyc_probe.is_parent) __atomic_store_n(&pyc_probe.control->state, PYC_PROBE_REMOVED, __ATOMIC_RELEASE);
  if (!pyc_probe.free_threaded && __atomic_load_n(&pyc_probe.inside, __ATOMIC_ACQUIRE) == 0) unmap();
}

static void put_in(const struct pyc_probe_command* command) {
  struct pyc_probe* p = &pyc_probe;
  p->api = command->api;
  p->layout = command->layout;
  p->control = p->root = command->control;
  p->is_parent = pyc_new_fork_mark();
  if (!p->is_parent) return fail("it has no memory left");
  p->collectors = command->collectors;
  p->free_threaded = command->free_threaded;
  p->is_removed = 0;
  p->generation = command->generation;
  if (p->layout.hooks != PYC_PROBE_MONITORING) pyc_start_frames();
  pyc_start_definitions(&p->definitions, p->control, command->free_threaded);
  pyc_start_threads(&p->threads);
  if (p->collectors & (PYC_PROBE_IMPORT | PYC_PROBE_EXCEPTION)) pyc_start_imports();
  if (p->collectors & PYC_PROBE_INSTRUCTION) p->opcode_names = find_opcode_names();
  const char* problem = p->collectors & PYC_PROBE_GC ? pyc_install_gc() : NULL;
  if (!problem) problem = p->layout.hooks == PYC_PROBE_MONITORING ? pyc_install_monitoring() : pyc_install_evaluator();
  if (problem) {
    take_out();
    fail(problem);
    return p->free_threaded ? (void)0 : unmap();
  }
  __atomic_store_n(&p->control->state, PYC_PROBE_RECORDS, __ATOMIC_RELEASE);
}

// With the GIL.
static void execute(const struct pyc_probe_command* command) {
  if (!command->collectors) {
    // One that comes late is not for a recording that has begun since.
    if (pyc_probe.records && __atomic_load_n(&pyc_probe.control->cancelled, __ATOMIC_ACQUIRE)) pyc_remove_hooks();
    return;
  }
  static uint64_t begun;
  if (__atomic_exchange_n(&begun, command->generation, __ATOMIC_ACQ_REL) == command->generation) return;
  if (!__atomic_load_n(&command->control->cancelled, __ATOMIC_ACQUIRE)) put_in(command);
}

static void* run_thread(void* command) {
  const struct pyc_probe_command* c = command;
  pyc_block_signals();
  c->api.pthread_detach(c->api.pthread_self());
  const int gil = c->api.gil_ensure();
  execute(c);
  c->api.gil_release(gil);
  return NULL;
}

static int run_pending(void* command) {
  execute(command);
  return 0;
}

static int start_thread(void* command) {
  const struct pyc_probe_command* c = command;
  uintptr_t thread;
  return c->api.pthread_create(&thread, NULL, run_thread, command);
}

static __attribute__((naked)) void trap(void) { __asm__("int3"); }

__attribute__((visibility("default"), section(".entries")))
const struct pyc_probe_entries pyc_probe_entries = {run_thread, run_pending, start_thread, trap, &pyc_probe.records};

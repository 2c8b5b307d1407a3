// The probe: records what a Python program does, from inside. A freestanding shared object without any dependency,
// which the daemon puts into the target by itself (daemon/inject): no loader of the target knows of it.
//
// It is written for CPython 3.12 and later, whose sys.monitoring tells of calls in all threads. All that it calls, it
// calls by the API's stable functions, whose addresses the daemon has looked up.
#include "daemon/probe/probe.h"

#include "daemon/probe/freestanding.h"
#include "daemon/probe/function_table.h"
#include "daemon/probe/thread_rings.h"

static struct pyc_probe_api api;
static struct pyc_probe_control* control;
static struct pyc_functions functions;
static struct pyc_threads threads;
static uint32_t* is_parent;  // 0 in a child that was forked: what is shared is its parent's
static int tool = -1;
static int records;

static const char* const kName = "pycroscope";

// How many tools sys.monitoring can tell apart.
enum { kTools = 6 };
// After so long without a heartbeat the daemon is gone.
enum { kPatienceNs = 1000000000 };

static uint64_t now_ns(void) {
  int64_t time[2];
  api.clock_gettime(1 /* CLOCK_MONOTONIC */, time);
  return (uint64_t)time[0] * 1000000000u + (uint64_t)time[1];
}

static void fail(const char* why) {
  pyc_copy_text(control->message, why, PYC_PROBE_MESSAGE);
  __atomic_store_n(&control->state, PYC_PROBE_FAILED, __ATOMIC_RELEASE);
}

// A function of an object with one to three arguments, all of which it takes over. Null, and no exception, on failure.
static PyObject* call_method(PyObject* object, const char* name, PyObject* a, PyObject* b, PyObject* c) {
  PyObject* method = object ? api.attribute(object, name) : NULL;
  PyObject* result = method ? api.call(method, a, b, c, NULL) : NULL;
  if (!result) api.clear_error();
  if (method) api.release(method);
  if (a) api.release(a);
  if (b) api.release(b);
  if (c) api.release(c);
  return result;
}

static int done(PyObject* result) {
  if (result) api.release(result);
  return result != NULL;
}

static void remove_hooks(void) {
  records = 0;
  PyObject* monitoring = api.sys_object("monitoring");
  if (monitoring && tool >= 0) {
    done(call_method(monitoring, "set_events", api.new_long(tool), api.new_long(0), NULL));
    done(call_method(monitoring, "free_tool_id", api.new_long(tool), NULL, NULL));
  }
  tool = -1;
  if (*is_parent) __atomic_store_n(&control->state, PYC_PROBE_REMOVED, __ATOMIC_RELEASE);
}

// Whether somebody reads what is written.
static int is_read(uint64_t now) {
  return *is_parent && (int64_t)(now - __atomic_load_n(&control->heartbeat_ns, __ATOMIC_RELAXED)) <= kPatienceNs;
}

// The bytes of a str, and what has to be released after use.
struct text {
  const char* bytes;
  uint64_t size;
  PyObject* owner;
};

static struct text text_of(PyObject* object) {
  intptr_t size = 0;
  const char* bytes = object ? api.utf8(object, &size) : NULL;
  if (bytes) return (struct text){bytes, (uint64_t)size, NULL};
  // It has surrogates, or is no str.
  api.clear_error();
  PyObject* owner = object ? api.encoded(object, "utf-8", "backslashreplace") : NULL;
  if (owner) return (struct text){api.bytes(owner), (uint64_t)api.bytes_size(owner), owner};
  api.clear_error();
  return (struct text){"?", 1, NULL};
}

// What a code object carries for us is its own address.
static void on_code_end(void* code) {
  if (records) pyc_forget_function(&functions, code);
}

static uint32_t define_function(PyObject* code) {
  PyObject* name = api.attribute(code, "co_qualname");
  PyObject* file = api.attribute(code, "co_filename");
  PyObject* line = api.attribute(code, "co_firstlineno");
  if (!name || !file || !line) api.clear_error();
  const struct text name_text = text_of(name), file_text = text_of(file);
  const long first = line ? api.long_value(line) : 0;
  // Nothing of Python is called with the lock held: who waits for it must not be waited for.
  pyc_lock(&functions.lock);
  uint32_t id = pyc_find_function(&functions, code);
  const int is_new = !id;
  if (is_new) {
    const uint32_t name_id = pyc_define_text(&functions, name_text.bytes, name_text.size);
    const uint32_t file_id = pyc_define_text(&functions, file_text.bytes, file_text.size);
    id = pyc_add_function(&functions, code, name_id, file_id, first > 0 ? (uint64_t)first : 0);
  }
  pyc_unlock(&functions.lock);
  // Its id ends with it. Where that cannot be told it stays.
  if (is_new && id && (functions.extra < 0 || api.set_code_extra(code, functions.extra, code) != 0)) {
    api.clear_error();
    api.retain(code);
  }
  PyObject* used[] = {name, file, line, name_text.owner, file_text.owner};
  for (unsigned i = 0; i < sizeof used / sizeof used[0]; ++i)
    if (used[i]) api.release(used[i]);
  return id;
}

// Tells what is on the thread's stack already. `type`: of the event that it is about to tell; one that enters a
// function does so itself.
static void tell_stack(struct pyc_ring_writer* writer, void* state, uint64_t now, uint32_t type) {
  enum { kDeepest = 512 };
  uint32_t ids[kDeepest];
  uint32_t depth = 0;
  const int enters = type == PYC_RING_CALL || type == PYC_RING_RESUME || type == PYC_RING_THROW;
  PyObject* frame = api.frame(state);
  for (int is_leaf = 1; frame; is_leaf = 0) {
    if (depth < kDeepest && !(is_leaf && enters)) {
      PyObject* code = api.frame_code(frame);
      const uint32_t known = pyc_find_function(&functions, code);
      ids[depth++] = known ? known : define_function(code);
      api.release(code);
    }
    PyObject* back = api.frame_back(frame);
    api.release(frame);
    frame = back;
  }
  while (depth > 0) pyc_ring_write(writer, PYC_RING_STANDS, now, ids[--depth], 0, NULL, 0, pyc_pause_50us);
}

// The ring of the calling thread, which is about to tell of an event; null when it has none.
static struct pyc_ring_writer* ring(uint64_t now, uint32_t type) {
  void* state = api.thread_state();
  const uint64_t id = api.thread_state_id(state);
  struct pyc_thread* thread = pyc_find_thread(&threads, state, id);
  if (!thread) {
    thread = pyc_claim_ring(&threads, control, state, id, api.pthread_self());
    if (thread && thread->writer.ring) {
      tell_stack(&thread->writer, state, now, type);
      pyc_ring_write(&thread->writer, PYC_RING_THREAD_START, now, 0, 0, NULL, 0, pyc_pause_50us);
    }
  }
  if (thread && thread->writer.ring) {
    // It may have written as another thread state meanwhile.
    struct pyc_ring* own = thread->writer.ring;
    if (__atomic_load_n(&own->head, __ATOMIC_RELAXED) != thread->writer.head) pyc_ring_start(&thread->writer, own);
    return &thread->writer;
  }
  __atomic_fetch_add(&control->unrecorded, 1, __ATOMIC_RELAXED);
  return NULL;
}

static PyObject* on_event(uint32_t type, PyObject* const* arguments) {
  if (!records) return api.none;
  const uint64_t now = now_ns();
  if (!is_read(now)) {
    remove_hooks();
    return api.none;
  }
  struct pyc_ring_writer* writer = ring(now, type);
  if (writer) {
    PyObject* code = arguments[0];
    uint32_t id = pyc_find_function(&functions, code);
    if (!id) id = define_function(code);
    pyc_ring_write(writer, type, now, id, 0, NULL, 0, pyc_pause_50us);
  }
  return api.none;
}

#define PYC_CALLBACK(name, type)                                                      \
  static PyObject* name(PyObject* self, PyObject* const* arguments, intptr_t count) { \
    (void)self, (void)count;                                                          \
    api.retain(api.none);                                                             \
    return on_event(type, arguments);                                                 \
  }
PYC_CALLBACK(on_start, PYC_RING_CALL)
PYC_CALLBACK(on_return, PYC_RING_RETURN)
PYC_CALLBACK(on_resume, PYC_RING_RESUME)
PYC_CALLBACK(on_yield, PYC_RING_YIELD)
PYC_CALLBACK(on_throw, PYC_RING_THROW)
PYC_CALLBACK(on_unwind, PYC_RING_UNWIND)

// PyMethodDef
struct method {
  const char* name;
  PyObject* (*function)(PyObject*, PyObject* const*, intptr_t);
  int flags;
  const char* documentation;
};
enum { kFastCall = 0x80 };

struct event {
  const char* name;
  struct method method;
};
static struct event events[] = {
    {"PY_START", {"on_start", on_start, kFastCall, NULL}},    {"PY_RETURN", {"on_return", on_return, kFastCall, NULL}},
    {"PY_RESUME", {"on_resume", on_resume, kFastCall, NULL}}, {"PY_YIELD", {"on_yield", on_yield, kFastCall, NULL}},
    {"PY_THROW", {"on_throw", on_throw, kFastCall, NULL}},    {"PY_UNWIND", {"on_unwind", on_unwind, kFastCall, NULL}},
};
enum { kEvents = sizeof events / sizeof events[0] };

// The mask of an event; 0: there is none of that name.
static long mask_of(PyObject* monitoring, const char* name) {
  PyObject* all = api.attribute(monitoring, "events");
  PyObject* mask = all ? api.attribute(all, name) : NULL;
  const long value = mask ? api.long_value(mask) : 0;
  if (mask) api.release(mask);
  if (all) api.release(all);
  if (!mask) api.clear_error();
  return value;
}

static int is_ours(PyObject* name) {
  const struct text text = text_of(name);
  const int ours = pyc_same_text(text.bytes, text.size, kName);
  if (text.owner) api.release(text.owner);
  return ours;
}

static void install(void) {
  PyObject* monitoring = api.sys_object("monitoring");
  if (!monitoring) return fail("its Python has no sys.monitoring, which calls are traced with");
  for (int id = 0; id < kTools; ++id) {
    PyObject* owner = call_method(monitoring, "get_tool", api.new_long(id), NULL, NULL);
    const int ours = owner && is_ours(owner);
    if (owner) api.release(owner);
    if (ours) return fail("another Pycroscope traces it: end that recording first");
  }
  // The one that is meant for profilers, then those that are for anybody, then the rest.
  static const int order[kTools] = {2, 3, 4, 1, 0, 5};
  for (int i = 0; i < kTools && tool < 0; ++i)
    if (done(call_method(monitoring, "use_tool_id", api.new_long(order[i]), api.new_text(kName), NULL)))
      tool = order[i];
  if (tool < 0) return fail("other tools use all that sys.monitoring has: end one of them first");
  functions.extra = api.request_code_extra ? api.request_code_extra(on_code_end) : -1;
  long mask = 0;
  for (int i = 0; i < kEvents; ++i) {
    const long one = mask_of(monitoring, events[i].name);
    PyObject* callback = api.new_function(&events[i].method, NULL, NULL);
    if (!one || !callback ||
        !done(call_method(monitoring, "register_callback", api.new_long(tool), api.new_long(one), callback))) {
      api.clear_error();
      remove_hooks();
      return fail("sys.monitoring does not take the probe's functions");
    }
    mask |= one;
  }
  records = 1;
  if (!done(call_method(monitoring, "set_events", api.new_long(tool), api.new_long(mask), NULL))) {
    remove_hooks();
    return fail("sys.monitoring does not take the probe's events");
  }
  __atomic_store_n(&control->state, PYC_PROBE_RECORDS, __ATOMIC_RELEASE);
}

// With the GIL.
static void execute(const struct pyc_probe_command* command) {
  if (!command->collectors) {
    if (records) remove_hooks();
    return;
  }
  // It may come more than once.
  if (__atomic_load_n(&command->control->state, __ATOMIC_ACQUIRE) != PYC_PROBE_LOADED) return;
  if (__atomic_load_n(&command->control->cancelled, __ATOMIC_ACQUIRE)) return;
  api = command->api;
  control = command->control;
  is_parent = pyc_new_fork_mark();
  pyc_start_functions(&functions, control, command->free_threaded);
  pyc_start_threads(&threads);
  install();
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
const struct pyc_probe_entries pyc_probe_entries = {run_thread, run_pending, start_thread, trap};

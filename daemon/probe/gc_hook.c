// Runs of the garbage collector, as gc.callbacks tells of them.
#include "daemon/probe/tell.h"

static PyObject* hook;  // in gc.callbacks

static uint64_t number(PyObject* info, const char* name) {
  const struct pyc_probe_api* api = &pyc_probe.api;
  PyObject* value = pyc_item_of_name(info, name);
  const long result = value ? api->long_value(value) : 0;
  pyc_release(value);
  return result > 0 ? (uint64_t)result : 0;
}

// (phase, info): phase is "start" or "stop".
static PyObject* on_gc(PyObject* self, PyObject* const* a, size_t count, PyObject* names) {
  (void)self, (void)count, (void)names;
  const struct pyc_probe_api* api = &pyc_probe.api;
  api->retain(api->none);
  const struct pyc_moment moment = pyc_begin(PYC_RING_GC);
  if (!moment.thread) return api->none;
  const struct pyc_held_error error = pyc_hold_error();
  const char* phase = api->utf8(a[0], NULL);
  if (!phase) api->clear_error();
  if (phase && pyc_same_text(phase, 5, "start")) {
    moment.thread->gc_begin = moment.time;
  } else if (moment.thread->gc_begin) {
    const struct pyc_ring_slot more[2] = {{moment.time - moment.thread->gc_begin, number(a[1], "collected")},
                                          {number(a[1], "uncollectable"), 0}};
    const uint32_t generation = (uint32_t)number(a[1], "generation");
    moment.thread->gc_begin = 0;
    pyc_tell_place(&moment);
    pyc_ring_write(&moment.thread->writer, PYC_RING_GC, moment.time, generation, 0, more, 2);
  }
  pyc_restore_error(error);
  return api->none;
}

// The list gc.callbacks; null where it cannot be had.
static PyObject* callbacks(void) {
  static const char* const modules[] = {"gc", NULL};
  PyObject* gc = pyc_import(modules);
  PyObject* list = gc ? pyc_probe.api.attribute(gc, "callbacks") : NULL;
  if (!list) pyc_probe.api.clear_error();
  pyc_release(gc);
  return list;
}

const char* pyc_install_gc(void) {
  PyObject* list = callbacks();
  hook = list ? pyc_new_callable(on_gc) : NULL;
  if (hook) pyc_probe.api.retain(hook);
  const int done = hook && pyc_is_done(pyc_call_method(list, "append", hook, NULL, NULL));
  pyc_release(list);
  return done ? NULL : "gc.callbacks does not take the probe's function";
}

void pyc_remove_gc(void) {
  if (!hook) return;
  const struct pyc_probe_api* api = &pyc_probe.api;
  PyObject* list = callbacks();
  // Others in it may not like to be compared.
  for (long i = 0; list; ++i) {
    PyObject* number = api->new_long(i);
    PyObject* found = pyc_item(list, number);
    const int is_ours = found == hook;
    pyc_release(found);
    if (is_ours)
      pyc_is_done(pyc_call_method(list, "pop", number, NULL, NULL));
    else
      pyc_release(number);
    if (is_ours || !found) break;
  }
  pyc_release(list);
  pyc_release(hook);
  hook = NULL;
}

#include "daemon/probe/imports.h"

PyObject* pyc_import_code;

static int begins_with(PyObject* text, const char* start) {
  const char* bytes = text ? pyc_probe.api.utf8(text, NULL) : NULL;
  if (!bytes) {
    pyc_probe.api.clear_error();
    return 0;
  }
  while (*start && *bytes == *start) ++start, ++bytes;
  return !*start;
}

void pyc_start_imports(void) {
  PyObject* importlib = pyc_item_of_name(pyc_probe.api.sys_object("modules"), "_frozen_importlib");
  PyObject* function = pyc_attribute(importlib, "_find_and_load");
  pyc_import_code = pyc_attribute(function, "__code__");
  pyc_release(function);
  pyc_release(importlib);
}

void pyc_stop_imports(void) {
  pyc_release(pyc_import_code);
  pyc_import_code = NULL;
}

// The name of the module that imports: of the first function on the stack that is not of importlib.
static uint32_t importer(PyObject* caller) {
  PyObject* frame = caller;
  if (frame) pyc_probe.api.retain(frame);
  for (;;) {
    if (!frame || frame == pyc_probe.api.none) {
      pyc_release(frame);
      return 0;
    }
    PyObject* globals = pyc_attribute(frame, "f_globals");
    PyObject* name = pyc_item_of_name(globals, "__name__");
    const int is_importlib = begins_with(name, "importlib") || begins_with(name, "_frozen_importlib");
    const uint32_t id = !name || is_importlib ? 0 : pyc_define_text(name);
    pyc_release(name);
    pyc_release(globals);
    PyObject* back = is_importlib ? pyc_attribute(frame, "f_back") : NULL;
    pyc_release(frame);
    if (!is_importlib) return id;
    frame = back;
  }
}

static PyObject* modules(void) { return pyc_probe.api.sys_object("modules"); }

static void begin(struct pyc_thread* thread, uint64_t time, PyObject* name, PyObject* caller) {
  if (thread->import_depth++ >= kPycNestedImports) return;
  struct pyc_import* import = &thread->imports[thread->import_depth - 1];
  *import = (struct pyc_import){.begin = time};
  PyObject* known = pyc_item(modules(), name);
  if (name && !known) {
    import->module = pyc_define_text(name);
    import->parent = importer(caller);
    import->name = name;
    pyc_probe.api.retain(name);
  }
  pyc_release(known);
}

// By the frame of the function, which the thread executes.
static void begin_by_frame(struct pyc_thread* thread, uint64_t time) {
  PyObject* frame = pyc_probe.api.frame(thread->state);
  PyObject* caller = pyc_attribute(frame, "f_back");
  PyObject* locals = pyc_attribute(frame, "f_locals");
  PyObject* name = pyc_item_of_name(locals, "name");
  begin(thread, time, name, caller);
  PyObject* used[] = {name, locals, caller, frame};
  for (unsigned i = 0; i < sizeof used / sizeof used[0]; ++i) pyc_release(used[i]);
}

// An import that a part of it has done, as that of a package's module which the package itself imports, has nothing
// left to do.
static void forget_if_same(struct pyc_import* import, uint32_t module) {
  if (!import->name || import->module != module) return;
  pyc_release(import->name);
  import->name = NULL;
}

static void end(const struct pyc_moment* moment, int is_found) {
  struct pyc_thread* thread = moment->thread;
  // One that began before the hooks came is none.
  if (thread->import_depth == 0 || --thread->import_depth >= kPycNestedImports) return;
  const struct pyc_import* import = &thread->imports[thread->import_depth];
  const uint64_t duration = moment->time - import->begin;
  if (thread->import_depth > 0) thread->imports[thread->import_depth - 1].nested += duration;
  if (!import->name) return;
  if (is_found) {
    PyObject* module = pyc_item(modules(), import->name);
    PyObject* file = pyc_attribute(module, "__file__");
    const uint32_t path = file && file != pyc_probe.api.none ? pyc_define_text(file) : 0;
    const uint64_t own = duration > import->nested ? duration - import->nested : 0;
    const struct pyc_ring_slot more[2] = {{duration, own}, {import->parent, path}};
    pyc_tell_place(moment);
    pyc_ring_write(&thread->writer, PYC_RING_IMPORT, moment->time, import->module, 0, more, 2);
    for (uint32_t i = 0; i < thread->import_depth; ++i) forget_if_same(&thread->imports[i], import->module);
    pyc_release(file);
    pyc_release(module);
  }
  pyc_release(import->name);
}

void pyc_import_moves(const struct pyc_moment* moment, uint32_t type) {
  if (!(pyc_probe.collectors & PYC_PROBE_IMPORT)) return;
  const struct pyc_held_error error = pyc_hold_error();
  if (type == PYC_RING_CALL)
    begin_by_frame(moment->thread, moment->time);
  else if (type == PYC_RING_RETURN || type == PYC_RING_UNWIND)
    end(moment, type == PYC_RING_RETURN);
  pyc_restore_error(error);
}

void pyc_import_begins(const struct pyc_moment* moment, PyObject* name, PyObject* caller) {
  const struct pyc_held_error error = pyc_hold_error();
  begin(moment->thread, moment->time, name, caller);
  pyc_restore_error(error);
}

void pyc_import_ends(const struct pyc_moment* moment, int is_found) {
  const struct pyc_held_error error = pyc_hold_error();
  end(moment, is_found);
  pyc_restore_error(error);
}

// The hooks of CPython 3.12 and later: functions of ours that sys.monitoring calls, in whichever thread.
#include "daemon/probe/imports.h"
#include "daemon/probe/tell.h"

// How many tools sys.monitoring can tell apart.
enum { kTools = 6 };

static int tool = -1;
static int has_disabled;   // in a recording before this one, some events at some places
static PyObject* disable;  // sys.monitoring.DISABLE: this event is not to be told of any more at this place

static int collects(uint32_t what) { return (pyc_probe.collectors & what) != 0; }

// An argument that is an int and not negative.
static uint64_t number(PyObject* object) {
  const struct pyc_probe_layout* layout = &pyc_probe.layout;
  const uint64_t tag = *(const uint64_t*)((const char*)object + layout->long_tag);
  if (tag >> 3 <= 1) return tag & 3 ? 0 : *(const uint32_t*)((const char*)object + layout->long_digits);
  return (uint64_t)pyc_probe.api.long_value(object);
}

static PyObject* tell_code(uint32_t type, PyObject* code) {
  if (!collects(PYC_PROBE_CALL) && code != pyc_import_code) return pyc_probe.api.none;
  const struct pyc_moment moment = pyc_begin(type);
  if (!moment.thread) return pyc_probe.api.none;
  if (code == pyc_import_code) pyc_import_moves(&moment, type);
  if (!collects(PYC_PROBE_CALL)) return pyc_probe.api.none;
  const uint32_t id = pyc_code_id(code);
  // The others of these events are not a place's.
  if (id & PYC_HIDDEN) return type == PYC_RING_THROW || code == pyc_import_code ? pyc_probe.api.none : disable;
  pyc_tell(&moment, type, id);
  return pyc_probe.api.none;
}

#define PYC_HOOK(name) static PyObject* name(PyObject* self, PyObject* const* a, size_t count, PyObject* names)
#define PYC_UNUSED (void)self, (void)a, (void)count, (void)names

PYC_HOOK(on_start) {
  PYC_UNUSED;
  return tell_code(PYC_RING_CALL, a[0]);
}
PYC_HOOK(on_return) {
  PYC_UNUSED;
  return tell_code(PYC_RING_RETURN, a[0]);
}
PYC_HOOK(on_resume) {
  PYC_UNUSED;
  return tell_code(PYC_RING_RESUME, a[0]);
}
PYC_HOOK(on_yield) {
  PYC_UNUSED;
  return tell_code(PYC_RING_YIELD, a[0]);
}
PYC_HOOK(on_throw) {
  PYC_UNUSED;
  return tell_code(PYC_RING_THROW, a[0]);
}

PYC_HOOK(on_unwind) {
  PYC_UNUSED;
  const struct pyc_moment moment = pyc_begin(PYC_RING_UNWIND);
  if (!moment.thread) return pyc_probe.api.none;
  moment.thread->unwound = a[2];
  moment.thread->unwound_importlib = a[0] == pyc_import_code;
  ++moment.thread->frames_unwound;
  if (a[0] == pyc_import_code) pyc_import_moves(&moment, PYC_RING_UNWIND);
  const uint32_t id = collects(PYC_PROBE_CALL) ? pyc_code_id(a[0]) : PYC_HIDDEN;
  if (!(id & PYC_HIDDEN)) pyc_tell(&moment, PYC_RING_UNWIND, id);
  return pyc_probe.api.none;
}

PYC_HOOK(on_c_call) {
  PYC_UNUSED;
  pyc_tell_c_call(a[0], a[2]);
  return pyc_probe.api.none;
}

// Also when it raised.
PYC_HOOK(on_c_return) {
  PYC_UNUSED;
  pyc_tell_c_return(a[0], a[2]);
  return pyc_probe.api.none;
}

static PyObject* tell_line(PyObject* code, uint64_t line) {
  const struct pyc_moment moment = pyc_begin(PYC_RING_LINE);
  if (!moment.thread) return pyc_probe.api.none;
  const struct pyc_place place = pyc_use_line(code, line);
  if (place.is_over) return disable;
  pyc_tell(&moment, PYC_RING_LINE, place.id);
  return pyc_probe.api.none;
}

PYC_HOOK(on_line) {
  PYC_UNUSED;
  return tell_line(a[0], number(a[1]));
}

// A jump back within a line begins that line again; sys.monitoring tells of lines that are entered only.
PYC_HOOK(on_jump) {
  PYC_UNUSED;
  const uint64_t from = number(a[1]), to = number(a[2]);
  if (to > from) return disable;
  const int line = pyc_probe.api.line_of(a[0], (int)to);
  if (line < 0 || line != pyc_probe.api.line_of(a[0], (int)from)) return disable;
  return tell_line(a[0], (uint64_t)line);
}

PYC_HOOK(on_instruction) {
  PYC_UNUSED;
  const struct pyc_moment moment = pyc_begin(PYC_RING_INSTRUCTION);
  if (!moment.thread) return pyc_probe.api.none;
  const struct pyc_place place = pyc_use_instruction(a[0], number(a[1]));
  if (place.is_over) return disable;
  pyc_tell(&moment, PYC_RING_INSTRUCTION, place.id);
  return pyc_probe.api.none;
}

// It is told of in each function that an exception passes. Its traceback is longer then than where it was raised, but
// where an import has failed: that takes importlib's functions out. (One that was caught and is raised again has a long
// traceback, too; it has not just left a function.)
static int passes(const struct pyc_thread* thread, PyObject* exception) {
  if (thread->unwound != exception) return 0;
  if (thread->unwound_importlib) return 1;
  PyObject* traceback = pyc_probe.api.traceback(exception);
  PyObject* next = pyc_attribute(traceback, "tb_next");
  const int is_longer = next && next != pyc_probe.api.none;
  pyc_release(next);
  pyc_release(traceback);
  return is_longer;
}

PYC_HOOK(on_raise) {
  PYC_UNUSED;
  const struct pyc_moment moment = pyc_begin(PYC_RING_RAISE);
  if (!moment.thread || passes(moment.thread, a[2])) return pyc_probe.api.none;
  if (!collects(PYC_PROBE_CALL)) pyc_tell_place(&moment);
  moment.thread->frames_unwound = 0;
  const struct pyc_ring_slot more = {pyc_line_id_at(a[0], number(a[1])), 0};
  pyc_ring_write(&moment.thread->writer, PYC_RING_RAISE, moment.time, pyc_define_type_of(a[2]), pyc_exception_key(a[2]),
                 &more, 1);
  return pyc_probe.api.none;
}

PYC_HOOK(on_reraise) {
  PYC_UNUSED;
  const struct pyc_moment moment = pyc_begin(PYC_RING_RERAISE);
  if (!moment.thread) return pyc_probe.api.none;
  moment.thread->frames_unwound = 0;
  pyc_ring_write(&moment.thread->writer, PYC_RING_RERAISE, moment.time, 0, pyc_exception_key(a[2]), NULL, 0);
  return pyc_probe.api.none;
}

PYC_HOOK(on_handled) {
  PYC_UNUSED;
  const struct pyc_moment moment = pyc_begin(PYC_RING_CAUGHT);
  if (!moment.thread) return pyc_probe.api.none;
  const struct pyc_ring_slot more = {moment.thread->frames_unwound, 0};
  moment.thread->frames_unwound = 0;
  moment.thread->unwound = NULL;
  pyc_ring_write(&moment.thread->writer, PYC_RING_CAUGHT, moment.time, pyc_line_id_at(a[0], number(a[1])),
                 pyc_exception_key(a[2]), &more, 1);
  return pyc_probe.api.none;
}

struct event {
  const char* name;
  pyc_vectorcall hook;
  uint32_t collectors;  // that need it
  int is_of_imports;    // of the function that imports it is needed for those as well
  int is_optional;      // versions differ in it
};
static const struct event events[] = {
    // Python tells of the line that a function begins with only where it also tells of the beginning.
    {"PY_START", on_start, PYC_PROBE_CALL | PYC_PROBE_LINE, 1, 0},
    {"PY_RETURN", on_return, PYC_PROBE_CALL, 1, 0},
    {"PY_RESUME", on_resume, PYC_PROBE_CALL | PYC_PROBE_LINE, 0, 0},
    {"PY_YIELD", on_yield, PYC_PROBE_CALL, 0, 0},
    {"PY_THROW", on_throw, PYC_PROBE_CALL, 0, 0},
    {"PY_UNWIND", on_unwind, PYC_PROBE_CALL | PYC_PROBE_IMPORT | PYC_PROBE_EXCEPTION, 0, 0},
    {"CALL", on_c_call, PYC_PROBE_C_CALL, 0, 0},
    {"C_RETURN", on_c_return, PYC_PROBE_C_CALL, 0, 0},
    {"C_RAISE", on_c_return, PYC_PROBE_C_CALL, 0, 0},
    {"LINE", on_line, PYC_PROBE_LINE, 0, 0},
    {"JUMP", on_jump, PYC_PROBE_LINE, 0, 0},
    {"BRANCH_LEFT", on_jump, PYC_PROBE_LINE, 0, 1},
    {"BRANCH_RIGHT", on_jump, PYC_PROBE_LINE, 0, 1},
    // Both of them, before 3.14.
    {"BRANCH", on_jump, PYC_PROBE_LINE, 0, 1},
    {"INSTRUCTION", on_instruction, PYC_PROBE_INSTRUCTION, 0, 0},
    {"RAISE", on_raise, PYC_PROBE_EXCEPTION, 0, 0},
    {"RERAISE", on_reraise, PYC_PROBE_EXCEPTION, 0, 0},
    {"EXCEPTION_HANDLED", on_handled, PYC_PROBE_EXCEPTION, 0, 0},
};
enum { kEvents = sizeof events / sizeof events[0] };
// The mask of an event; 0: there is none of that name.
static long mask_of(PyObject* monitoring, const char* name) {
  PyObject* all = pyc_probe.api.attribute(monitoring, "events");
  PyObject* mask = all ? pyc_probe.api.attribute(all, name) : NULL;
  const long value = mask ? pyc_probe.api.long_value(mask) : 0;
  if (!mask) pyc_probe.api.clear_error();
  pyc_release(mask);
  pyc_release(all);
  return value;
}

static int is_ours(PyObject* name) {
  const char* text = name && name != pyc_probe.api.none ? pyc_probe.api.utf8(name, NULL) : NULL;
  uint64_t size = 0;
  while (text && text[size]) ++size;
  if (!text) pyc_probe.api.clear_error();
  return text && pyc_same_text(text, size, PYC_PROBE_NAME);
}

static const char* take_tool(PyObject* monitoring) {
  const struct pyc_probe_api* api = &pyc_probe.api;
  for (int id = 0; id < kTools; ++id) {
    PyObject* owner = pyc_call_method(monitoring, "get_tool", api->new_long(id), NULL, NULL);
    const int ours = is_ours(owner);
    pyc_release(owner);
    if (ours) return "another Pycroscope traces it: end that recording first";
  }
  // Those that are for anybody first: cProfile, coverage and debuggers take theirs or fail.
  static const int order[kTools] = {3, 4, 5, 2, 1, 0};
  for (int i = 0; i < kTools && tool < 0; ++i) {
    PyObject* name = api->new_text(PYC_PROBE_NAME);
    if (pyc_is_done(pyc_call_method(monitoring, "use_tool_id", api->new_long(order[i]), name, NULL))) tool = order[i];
  }
  return tool < 0 ? "other tools use all that sys.monitoring has: end one of them first" : NULL;
}

static int set_hook(PyObject* monitoring, const struct event* event, long mask) {
  PyObject* hook = pyc_new_callable(event->hook);
  const struct pyc_probe_api* api = &pyc_probe.api;
  return hook &&
         pyc_is_done(pyc_call_method(monitoring, "register_callback", api->new_long(tool), api->new_long(mask), hook));
}

static const char* set_events(PyObject* monitoring) {
  const struct pyc_probe_api* api = &pyc_probe.api;
  const int of_imports_too = pyc_import_code && collects(PYC_PROBE_IMPORT);
  long mask = 0, of_imports = 0;
  for (int i = 0; i < kEvents; ++i) {
    const int for_imports = of_imports_too && events[i].is_of_imports;
    if (!collects(events[i].collectors) && !for_imports) continue;
    const long one = mask_of(monitoring, events[i].name);
    if (events[i].is_optional && (!one || (mask & one) == one)) continue;
    if (!one || !set_hook(monitoring, &events[i], one)) return "sys.monitoring does not take the probe's functions";
    if (collects(events[i].collectors)) mask |= one;
    if (for_imports) of_imports |= one;
  }
  pyc_probe.records = 1;
  if (!pyc_is_done(pyc_call_method(monitoring, "set_events", api->new_long(tool), api->new_long(mask), NULL)))
    return "sys.monitoring does not take the probe's events";
  if (of_imports_too) {
    api->retain(pyc_import_code);
    PyObject* events_of_imports = api->new_long(of_imports);
    if (!pyc_is_done(
            pyc_call_method(monitoring, "set_local_events", api->new_long(tool), pyc_import_code, events_of_imports)))
      return "sys.monitoring does not take the probe's events of imports";
  }
  // What a probe had no more use for in an earlier recording. (Those of other tools begin again as well.)
  if (has_disabled) pyc_is_done(pyc_call_method(monitoring, "restart_events", NULL, NULL, NULL));
  has_disabled = collects(PYC_PROBE_LINE) || pyc_probe.control->globs[0] || pyc_probe.control->max_hits;
  return NULL;
}

const char* pyc_install_monitoring(void) {
  PyObject* monitoring = pyc_probe.api.sys_object("monitoring");
  if (!monitoring) return "its Python has no sys.monitoring";
  const char* problem = take_tool(monitoring);
  if (problem) return problem;
  if (!disable) disable = pyc_probe.api.attribute(monitoring, "DISABLE");
  return disable ? set_events(monitoring) : "sys.monitoring has no DISABLE";
}

void pyc_remove_monitoring(void) {
  const struct pyc_probe_api* api = &pyc_probe.api;
  PyObject* monitoring = tool < 0 ? NULL : api->sys_object("monitoring");
  if (monitoring) {
    if (pyc_import_code) {
      api->retain(pyc_import_code);
      pyc_is_done(
          pyc_call_method(monitoring, "set_local_events", api->new_long(tool), pyc_import_code, api->new_long(0)));
    }
    pyc_is_done(pyc_call_method(monitoring, "set_events", api->new_long(tool), api->new_long(0), NULL));
    for (int i = 0; i < kEvents; ++i) {
      const long mask = mask_of(monitoring, events[i].name);
      api->retain(api->none);
      if (mask)
        pyc_is_done(
            pyc_call_method(monitoring, "register_callback", api->new_long(tool), api->new_long(mask), api->none));
      else
        api->release(api->none);
    }
    pyc_is_done(pyc_call_method(monitoring, "free_tool_id", api->new_long(tool), NULL, NULL));
  }
  tool = -1;
}

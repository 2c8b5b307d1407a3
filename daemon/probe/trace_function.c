// What Python calls of each thread for what it executes, as those that sys.setprofile() and sys.settrace() set.
#include "daemon/probe/evaluator.h"
#include "daemon/probe/raised.h"

// CPython's PyTrace_*.
enum what { kCall, kException, kLine, kReturn, kCCall, kCException, kCReturn, kOpcode };

static int needs_profile, needs_trace;
int pyc_needs_profile(void) { return needs_profile; }
int pyc_needs_trace(void) { return needs_trace; }

static int collects(uint32_t what) { return (pyc_probe.collectors & what) != 0; }

static struct pyc_place line_of(const void* object) {
  const int line = *(const int*)((const char*)object + pyc_probe.layout.object_line);
  return pyc_use_line(pyc_code_of(pyc_frame_of(object)), line > 0 ? (uint64_t)line : 0);
}

static void tell_move(const struct pyc_moment* moment, uint32_t type, PyObject* code) {
  const uint32_t id = collects(PYC_PROBE_CALL) ? pyc_code_id(code) : PYC_HIDDEN;
  if (!(id & PYC_HIDDEN)) pyc_tell(moment, type, id);
}

static int on_profile(PyObject* object, PyObject* frame_object, int what, PyObject* argument) {
  (void)object;
  if (what == kCCall) {
    if (collects(PYC_PROBE_C_CALL)) pyc_tell_c_call(pyc_code_of(pyc_frame_of(frame_object)), argument);
  } else if (what == kCReturn || what == kCException) {
    if (collects(PYC_PROBE_C_CALL)) pyc_tell_c_return(pyc_code_of(pyc_frame_of(frame_object)), argument);
  } else if (collects(PYC_PROBE_CALL) && !needs_trace) {
    pyc_frame* frame = pyc_frame_of(frame_object);
    PyObject* code = pyc_code_of(frame);
    const uint32_t type = what == kCall ? pyc_entry(frame, code) : pyc_exit(frame, code, argument);
    const struct pyc_moment moment = pyc_begin(type);
    if (moment.thread) tell_move(&moment, type, code);
  }
  return 0;
}

static void on_entry(const void* object) {
  pyc_frame* frame = pyc_frame_of(object);
  PyObject* code = pyc_code_of(frame);
  const uint32_t type = pyc_entry(frame, code);
  if (collects(PYC_PROBE_INSTRUCTION)) pyc_trace_opcodes(object, 1);
  const struct pyc_moment moment = pyc_begin(type);
  if (!moment.thread) return;
  if (collects(PYC_PROBE_EXCEPTION)) pyc_frame_is_entered(&moment, object);
  tell_move(&moment, type, code);
}

static void on_exit(const void* object, const PyObject* result) {
  pyc_frame* frame = pyc_frame_of(object);
  PyObject* code = pyc_code_of(frame);
  const uint32_t type = pyc_exit(frame, code, result);
  // What is told of it later, when it goes on, may be told to somebody else.
  pyc_trace_opcodes(object, 0);
  const struct pyc_moment moment = pyc_begin(type);
  if (!moment.thread) return;
  if (collects(PYC_PROBE_EXCEPTION)) pyc_frame_is_left(&moment, object, type);
  tell_move(&moment, type, code);
}

// `argument`: its type, itself, and its traceback.
static void on_exception(const void* object, PyObject* argument) {
  if (!collects(PYC_PROBE_EXCEPTION)) return;
  const struct pyc_moment moment = pyc_begin(PYC_RING_RAISE);
  PyObject* const* items = (PyObject* const*)((const char*)argument + pyc_probe.layout.tuple_items);
  if (moment.thread) pyc_exception_comes(&moment, object, items[1], items[2]);
}

static void on_line(const void* object) {
  if (!collects(PYC_PROBE_LINE | PYC_PROBE_EXCEPTION)) return;
  const struct pyc_moment moment = pyc_begin(PYC_RING_LINE);
  if (!moment.thread) return;
  if (collects(PYC_PROBE_EXCEPTION)) pyc_line_begins(&moment, object);
  if (!collects(PYC_PROBE_LINE)) return;
  const struct pyc_place place = line_of(object);
  if (!place.is_over) pyc_tell(&moment, PYC_RING_LINE, place.id);
}

static void on_instruction(const void* object) {
  const struct pyc_moment moment = pyc_begin(PYC_RING_INSTRUCTION);
  if (!moment.thread) return;
  if (collects(PYC_PROBE_EXCEPTION)) pyc_instruction_begins(&moment, object);
  if (!collects(PYC_PROBE_INSTRUCTION)) return;
  pyc_frame* frame = pyc_frame_of(object);
  const struct pyc_place place = pyc_use_instruction(pyc_code_of(frame), (uint64_t)pyc_instruction_of(frame));
  if (!place.is_over) pyc_tell(&moment, PYC_RING_INSTRUCTION, place.id);
}

static int on_trace(PyObject* object, PyObject* frame, int what, PyObject* argument) {
  (void)object;
  if (!pyc_probe.records) return 0;
  switch (what) {
    case kLine:
      on_line(frame);
      break;
    case kOpcode:
      on_instruction(frame);
      break;
    case kCall:
      on_entry(frame);
      break;
    case kReturn:
      on_exit(frame, argument);
      break;
    case kException:
      on_exception(frame, argument);
      break;
  }
  return 0;
}

static void* field(const void* state, uint32_t at) { return *(void* const*)((const char*)state + at); }
static void* profile_of(const void* state) { return field(state, pyc_probe.layout.thread_profile); }
static void* trace_of(const void* state) { return field(state, pyc_probe.layout.thread_trace); }

int pyc_is_armed(const void* state) {
  return (!needs_profile || profile_of(state) == (void*)on_profile) &&
         (!needs_trace || trace_of(state) == (void*)on_trace);
}

// Of the frames that a thread executes.
static void set_opcodes_of_thread(void* state, int value) {
  PyObject* frame = pyc_probe.api.frame(state);
  while (frame) {
    pyc_trace_opcodes(frame, value);
    PyObject* back = pyc_probe.api.frame_back(frame);
    pyc_release(frame);
    frame = back;
  }
}

// Of a thread, by Python's function for any thread, or, where there is none, by that for the current one, which the
// thread is for a moment.
static void set_function(void* state, void* function, int (*set_of)(void*, void*, PyObject*),
                         void (*set)(void*, PyObject*)) {
  const struct pyc_probe_api* api = &pyc_probe.api;
  if (set_of) {
    if (set_of(state, function, NULL) != 0) api->clear_error();
    return;
  }
  void* own = api->swap_thread(state);
  set(function, NULL);
  api->swap_thread(own);
}

static void set_profile(void* state, void* function) {
  set_function(state, function, pyc_probe.api.set_profile_of, pyc_probe.api.set_profile);
}
static void set_trace(void* state, void* function) {
  set_function(state, function, pyc_probe.api.set_trace_of, pyc_probe.api.set_trace);
}

int pyc_arm_thread(void* state) {
  const struct pyc_held_error error = pyc_hold_error();
  if (needs_profile && !profile_of(state)) set_profile(state, (void*)on_profile);
  if (needs_trace && !trace_of(state)) set_trace(state, (void*)on_trace);
  pyc_restore_error(error);
  return pyc_is_armed(state);
}

static void disarm_thread(void* state) {
  if (profile_of(state) == (void*)on_profile) set_profile(state, NULL);
  if (trace_of(state) != (void*)on_trace) return;
  set_trace(state, NULL);
  set_opcodes_of_thread(state, 0);
}

static void arm(void* state) {
  pyc_arm_thread(state);
  if (collects(PYC_PROBE_INSTRUCTION)) set_opcodes_of_thread(state, 1);
}

// Each thread of the interpreter.
static void visit_threads(void (*visit)(void* state)) {
  const struct pyc_probe_api* api = &pyc_probe.api;
  void* state = api->first_thread(field(api->thread_state(), pyc_probe.layout.thread_interpreter));
  for (; state; state = api->next_thread(state)) visit(state);
}

static int is_taken;
static void look(void* state) { is_taken |= (needs_profile && profile_of(state)) || (needs_trace && trace_of(state)); }

const char* pyc_install_trace_functions(void) {
  needs_trace = collects(kPycOfTrace);
  needs_profile = collects(PYC_PROBE_C_CALL) || (collects(PYC_PROBE_CALL) && !needs_trace && !pyc_evaluates_all());
  if (!needs_profile && !needs_trace) return NULL;
  is_taken = 0;
  visit_threads(look);
  if (is_taken)
    return "another tool, such as a debugger or a profiler, has set a function that is told what it does: end that "
           "one first, or trace other events";
  visit_threads(arm);
  return NULL;
}

void pyc_remove_trace_functions(void) {
  if (needs_profile || needs_trace) visit_threads(disarm_thread);
}

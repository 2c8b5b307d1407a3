// Evaluates Python's frames in place of its own function, which it calls in turn.
#include "daemon/probe/evaluator.h"

#include "daemon/probe/call_stack.h"
#include "daemon/probe/imports.h"

// CPython's flags of code objects, and its numbers (3.11).
enum { kGenerator = 0x20, kCoroutine = 0x80, kAsyncGenerator = 0x200 };
enum { kYieldValue = 86, kReraise = 119, kOwnedByThread = 0 };

static void* interpreter;  // whose frames our function evaluates; null: it is not in
static int tells_calls;

static const void* field(const void* object, uint32_t at) { return *(const void* const*)((const char*)object + at); }

pyc_frame* pyc_current_frame(const void* state) {
  const struct pyc_probe_layout* layout = &pyc_probe.layout;
  const void* frame = field(state, layout->thread_frame);
  return layout->current_frame && frame ? field(frame, layout->current_frame) : frame;
}

int64_t pyc_instruction_of(pyc_frame* frame) {
  const struct pyc_probe_layout* layout = &pyc_probe.layout;
  if (layout->instruction == PYC_PROBE_INSTRUCTION_POINTER)
    return (const char*)field(frame, layout->frame_instruction) - (const char*)pyc_code_of(frame) -
           layout->code_instructions;
  const int index = *(const int*)(frame + layout->frame_instruction);
  return layout->instruction == PYC_PROBE_INSTRUCTION_UNITS && index > 0 ? (int64_t)index * 2 : index;
}

int pyc_is_generator(PyObject* code) {
  const uint32_t flags = *(const uint32_t*)((const char*)code + pyc_probe.layout.code_flags);
  return (flags & (kGenerator | kCoroutine | kAsyncGenerator)) != 0;
}

int pyc_has_begun(pyc_frame* frame) {
  const struct pyc_probe_layout* layout = &pyc_probe.layout;
  if (layout->instruction != PYC_PROBE_INSTRUCTION_POINTER)
    return *(const int*)(frame + layout->frame_instruction) >= 0;
  // It has made the generator, or it is at a RESUME, which says what for, or it has yielded.
  const unsigned char* instruction = field(frame, layout->frame_instruction);
  return instruction[0] == kYieldValue || instruction[1] != 0;
}

int pyc_is_at_reraise(pyc_frame* frame) {
  const struct pyc_probe_layout* layout = &pyc_probe.layout;
  if (layout->instruction != PYC_PROBE_INSTRUCTION_POINTER) return 0;
  return *(const unsigned char*)field(frame, layout->frame_instruction) == kReraise;
}

int pyc_is_suspended(pyc_frame* frame) {
  const struct pyc_probe_layout* layout = &pyc_probe.layout;
  const char* state = frame + layout->generator_state;
  return layout->generator_is_stack ? *(void* const*)state != NULL : *(const signed char*)state == -1;
}

void pyc_remember_standing(struct pyc_thread* thread, const struct pyc_standing* frames, uint32_t count) {
  if (!tells_calls || count == 0) return;
  thread->standing = pyc_map(count * sizeof *frames);
  if (!thread->standing) return;
  memcpy(thread->standing, frames, count * sizeof *frames);
  thread->standing_count = count;
}

// What was on the stack before the probe came ends without being told. That it has is seen when the next function is
// called: by something else than by what is the leaf of it.
static void end_standing(const struct pyc_moment* moment, pyc_frame* caller) {
  struct pyc_thread* thread = moment->thread;
  while (thread->standing_count > 0) {
    const struct pyc_standing* leaf = &thread->standing[thread->standing_count - 1];
    if (leaf->frame == caller) return;
    if (!(leaf->function & PYC_HIDDEN)) pyc_tell(moment, PYC_RING_RETURN, (uint32_t)leaf->function);
    --thread->standing_count;
  }
}

void pyc_settle_stack(const struct pyc_moment* moment) {
  if (!tells_calls || moment->thread->frames_evaluated > 0 || moment->thread->standing_count == 0) return;
  end_standing(moment, pyc_current_frame(moment->thread->state));
}

static void begin_import(const struct pyc_moment* moment, pyc_frame* frame) {
  const struct pyc_held_error error = pyc_hold_error();
  PyObject* caller = pyc_probe.api.frame(moment->thread->state);
  // Its arguments are its first variables.
  pyc_import_begins(moment, *(PyObject* const*)(frame + pyc_probe.layout.frame_locals), caller);
  pyc_release(caller);
  pyc_restore_error(error);
}

// One that is told of, or the one that imports.
static PyObject* evaluate_told(const struct pyc_moment* moment, pyc_frame* frame, PyObject* code, int throws) {
  struct pyc_thread* thread = moment->thread;
  const int imports = code == pyc_import_code && pyc_probe.collectors & PYC_PROBE_IMPORT;
  const uint32_t id = tells_calls ? pyc_code_id(code) : PYC_HIDDEN;
  const int is_hidden = (id & PYC_HIDDEN) != 0;
  if (thread->standing_count > 0) pyc_settle_stack(moment);
  if (imports) begin_import(moment, frame);
  if (!is_hidden) pyc_tell(moment, throws ? PYC_RING_THROW : pyc_entry(frame, code), id);
  ++thread->frames_evaluated;
  PyObject* result = pyc_evaluate_with_room(thread, frame, throws);
  --thread->frames_evaluated;
  const struct pyc_moment end = pyc_begin_again(thread);
  if (!end.thread) return result;
  if (!is_hidden) pyc_tell(&end, pyc_exit(frame, code, result), id);
  if (imports) pyc_import_ends(&end, result != NULL);
  return result;
}

// The evaluation that makes a generator (3.11) is no call.
static int makes_generator(pyc_frame* frame, PyObject* code) {
  const uint32_t owner = pyc_probe.layout.frame_owner;
  return owner && pyc_is_generator(code) && frame[owner] == kOwnedByThread;
}

static int is_told_of(pyc_frame* frame, PyObject* code) {
  if (code == pyc_import_code && pyc_probe.collectors & PYC_PROBE_IMPORT) return 1;
  return tells_calls && !makes_generator(frame, code);
}

static void count_unrecorded(void) { __atomic_fetch_add(&pyc_probe.control->unrecorded, 1, __ATOMIC_RELAXED); }

static PyObject* evaluate(void* state, pyc_frame* frame, int throws) {
  // So often it is looked whether somebody reads where nothing is told.
  enum { kLooks = 64 };
  static uint32_t calls;
  if (!pyc_probe.records) return pyc_evaluate(state, frame, throws);
  if (!tells_calls && !pyc_is_armed(state) && !pyc_arm_thread(state)) count_unrecorded();
  PyObject* code = pyc_code_of(frame);
  const int is_told = is_told_of(frame, code);
  struct pyc_thread* thread = is_told ? NULL : pyc_find_thread(&pyc_probe.threads, state, pyc_state_id(state));
  if (!thread || ++calls % kLooks == 0) {
    // What is on the stack is what calls it: none of that is about to be entered.
    const struct pyc_moment moment = pyc_begin_in(state, PYC_RING_RETURN);
    if (moment.thread && is_told) return evaluate_told(&moment, frame, code, throws);
    // Nor will its end be.
    if (is_told && pyc_probe.records) count_unrecorded();
    thread = pyc_find_thread(&pyc_probe.threads, state, pyc_state_id(state));
  }
  if (!thread) return pyc_evaluate(state, frame, throws);
  ++thread->frames_evaluated;
  PyObject* result = pyc_evaluate_with_room(thread, frame, throws);
  --thread->frames_evaluated;
  return result;
}

static PyObject* evaluate_without_state(pyc_frame* frame, int throws) {
  return evaluate(pyc_probe.api.thread_state(), frame, throws);
}

static void* our_evaluator(void) {
  return pyc_probe.layout.hooks == PYC_PROBE_FRAMES ? (void*)evaluate_without_state : (void*)evaluate;
}

// Where Python has no functions for it its field is what there is.
static void** evaluator_field(void* of) { return (void**)((char*)of + pyc_probe.layout.interpreter_evaluate); }
static void* evaluator_of(void* of) {
  return pyc_probe.api.set_evaluator ? pyc_probe.api.evaluator(of) : *evaluator_field(of);
}
static void set_evaluator(void* of, void* function) {
  if (pyc_probe.api.set_evaluator)
    pyc_probe.api.set_evaluator(of, function);
  else
    *evaluator_field(of) = function;
}

// What versions do not export that have frames as objects alone.
static PyObject* frame_of_thread(void* state) {
  PyObject* frame = (PyObject*)(uintptr_t)pyc_current_frame(state);
  if (frame) pyc_probe.api.retain(frame);
  return frame;
}
static PyObject* frame_back(PyObject* frame) {
  PyObject* back = (PyObject*)(uintptr_t)field(frame, pyc_probe.layout.frame_previous);
  if (back) pyc_probe.api.retain(back);
  return back;
}
static PyObject* frame_code(PyObject* frame) {
  PyObject* code = pyc_code_of((pyc_frame*)frame);
  pyc_probe.api.retain(code);
  return code;
}

void pyc_start_frames(void) {
  struct pyc_probe_api* api = &pyc_probe.api;
  if (!api->frame) api->frame = frame_of_thread;
  if (!api->frame_back) api->frame_back = frame_back;
  if (!api->frame_code) api->frame_code = frame_code;
}

// A call that is made without evaluating its frame is made as others are: while the GIL is held nobody executes an
// opcode.
static void* target_of_getitem;  // what is to be put back; null: nothing

static int set_target_of_getitem(void* target) {
  enum { kPage = 4096, kRead = 1, kReadWrite = 3 };
  const struct pyc_probe_layout* layout = &pyc_probe.layout;
  void** entry = &pyc_probe.api.opcode_targets[layout->opcode_getitem];
  const long page = (long)((uintptr_t)entry & ~(uintptr_t)(kPage - 1));
  if (layout->opcode_targets_writable) {
    *entry = target;
    return 1;
  }
  if (pyc_system_call(kSysMprotect, page, kPage, kReadWrite, 0, 0, 0) != 0) return 0;
  *entry = target;
  pyc_system_call(kSysMprotect, page, kPage, kRead, 0, 0, 0);
  return 1;
}

static void show_getitem(void) {
  void** targets = pyc_probe.api.opcode_targets;
  void* own = targets ? targets[pyc_probe.layout.opcode_getitem] : NULL;
  if (own && set_target_of_getitem(targets[pyc_probe.layout.opcode_subscript])) target_of_getitem = own;
}

int pyc_evaluates_all(void) { return !pyc_probe.layout.opcode_getitem || target_of_getitem; }

const char* pyc_install_evaluator(void) {
  const struct pyc_probe_layout* layout = &pyc_probe.layout;
  const uint32_t collectors = pyc_probe.collectors;
  if ((collectors & ~(uint32_t)PYC_PROBE_GC) == 0) {
    pyc_probe.records = 1;
    return NULL;
  }
  void* own = *(void**)((char*)pyc_probe.api.thread_state() + layout->thread_interpreter);
  if (evaluator_of(own) != pyc_probe.api.evaluate)
    return "another tool evaluates its frames, be it another Pycroscope: end that one first";
  const int evaluates_calls = (collectors & PYC_PROBE_CALL) && !(collectors & (PYC_PROBE_C_CALL | kPycOfTrace));
  if (evaluates_calls && layout->opcode_getitem) show_getitem();
  const char* problem = pyc_install_trace_functions();
  if (problem) return problem;
  tells_calls = (collectors & PYC_PROBE_CALL) && !pyc_needs_profile() && !pyc_needs_trace();
  pyc_probe.records = 1;
  interpreter = own;
  set_evaluator(interpreter, our_evaluator());
  return NULL;
}

void pyc_remove_evaluator(void) {
  pyc_remove_trace_functions();
  if (target_of_getitem) set_target_of_getitem(target_of_getitem);
  target_of_getitem = NULL;
  // Whoever has put in another one meanwhile may call ours, which goes on to do what Python's does.
  if (interpreter && evaluator_of(interpreter) == our_evaluator()) set_evaluator(interpreter, pyc_probe.api.evaluate);
  interpreter = NULL;
  tells_calls = 0;
  pyc_free_stacks();
}

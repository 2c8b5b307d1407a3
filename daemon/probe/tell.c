#include "daemon/probe/tell.h"

#include "daemon/probe/evaluator.h"

// `first`: how its root-most location stands there.
static void tell_stack(struct pyc_thread* thread, uint64_t time, uint32_t type, uint32_t first) {
  enum { kDeepest = 512 };
  const struct pyc_probe_api* api = &pyc_probe.api;
  uint32_t ids[kDeepest];
  struct pyc_standing standing[kDeepest];
  uint32_t depth = 0, frames = 0;
  const int enters = type == PYC_RING_CALL || type == PYC_RING_RESUME || type == PYC_RING_THROW;
  PyObject* frame = api->frame(thread->state);
  for (int is_leaf = 1; frame; is_leaf = 0) {
    if (frames < kDeepest && !(is_leaf && enters)) {
      PyObject* code = api->frame_code(frame);
      const int line = api->frame_line(frame);
      // What is not told of leaves the stack without being told of.
      const uint32_t function = pyc_code_id(code);
      const int is_there = first != PYC_RING_STANDS_NEXT || !(function & PYC_HIDDEN);
      standing[kDeepest - ++frames] = (struct pyc_standing){pyc_frame_of(frame), function};
      if (is_there) ids[depth++] = pyc_line_id(code, line > 0 ? (uint64_t)line : 0);
      api->release(code);
    }
    PyObject* back = api->frame_back(frame);
    api->release(frame);
    frame = back;
  }
  if (first == PYC_RING_STANDS_NEXT) pyc_remember_standing(thread, &standing[kDeepest - frames], frames);
  for (uint32_t how = first; depth > 0; how = PYC_RING_STANDS_NEXT)
    pyc_ring_write(&thread->writer, PYC_RING_STANDS, time, ids[--depth], how, NULL, 0);
}

// The line that the function is at which was called last.
static void tell_leaf(const struct pyc_moment* moment) {
  const struct pyc_probe_api* api = &pyc_probe.api;
  PyObject* frame = api->frame(moment->thread->state);
  if (!frame) return;
  PyObject* code = api->frame_code(frame);
  const int line = api->frame_line(frame);
  pyc_ring_write(&moment->thread->writer, PYC_RING_STANDS, moment->time,
                 pyc_line_id(code, line > 0 ? (uint64_t)line : 0), PYC_RING_STANDS_LEAF, NULL, 0);
  pyc_release(code);
  pyc_release(frame);
}

void pyc_tell_place(const struct pyc_moment* moment) {
  const struct pyc_held_error error = pyc_hold_error();
  if (pyc_probe.collectors & PYC_PROBE_CALL) {
    pyc_settle_stack(moment);
    if (!(pyc_probe.collectors & PYC_PROBE_LINE)) tell_leaf(moment);
  } else {
    tell_stack(moment->thread, moment->time, PYC_RING_GC, PYC_RING_STANDS_FIRST);
  }
  pyc_restore_error(error);
}

// The tables are the parent's, and so is what they refer to; what is new goes to rings of the child's own. Who held the
// lock of the tables is not in the child.
static void move_to(struct pyc_probe_control* area, uint32_t* mark, uint64_t now) {
  struct pyc_probe* p = &pyc_probe;
  area->parent_pid = (int32_t)pyc_system_call(kSysGetppid, 0, 0, 0, 0, 0, 0);
  area->heartbeat = now;
  p->control = area;
  p->is_parent = mark;
  p->definitions.lock = 0;
  pyc_ring_start(&p->definitions.ring, (struct pyc_ring*)((char*)area + area->definitions_at), &pyc_probe_means);
  pyc_start_threads(&p->threads);
  __atomic_store_n(&area->state, PYC_PROBE_RECORDS, __ATOMIC_RELEASE);
}

int pyc_begin_child(uint64_t now) {
  struct pyc_probe_control* root = pyc_probe.root;
  const int32_t pid = (int32_t)pyc_system_call(kSysGetpid, 0, 0, 0, 0, 0, 0);
  uint32_t* mark = root->child_count > 0 ? pyc_new_fork_mark() : NULL;
  for (uint32_t i = 0; mark && i < root->child_count; ++i) {
    struct pyc_probe_control* area = (void*)((char*)root + root->children_at + i * root->child_stride);
    int32_t nobody = 0;
    if (!__atomic_compare_exchange_n(&area->pid, &nobody, pid, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) continue;
    move_to(area, mark, now);
    return 1;
  }
  pyc_end_fork_mark(mark);
  return 0;
}

struct pyc_thread* pyc_admit_thread(void* state, uint64_t id, uint64_t time, uint32_t type) {
  struct pyc_thread* thread =
      pyc_claim_ring(&pyc_probe.threads, pyc_probe.control, state, id, pyc_probe.api.pthread_self(), &pyc_probe_means);
  if (thread) thread->generation = pyc_probe.generation;
  if (!thread || !thread->writer.ring) return thread;
  const struct pyc_held_error error = pyc_hold_error();
  if (pyc_probe.collectors & PYC_PROBE_CALL) tell_stack(thread, time, type, PYC_RING_STANDS_NEXT);
  pyc_ring_write(&thread->writer, PYC_RING_THREAD_START, time, 0, 0, NULL, 0);
  pyc_restore_error(error);
  return thread;
}

// What defines a C function or method; null for all else that can be called.
static const void* definition_of(PyObject* callable) {
  const struct pyc_probe_api* api = &pyc_probe.api;
  const char* object = (const char*)callable;
  const void* type = *(void* const*)(object + pyc_probe.layout.object_type);
  enum { kMethodOfDescriptor = 3 };  // words after the header: d_type, d_name, d_qualname, d_method
  const void* const* fields = (const void* const*)(object + pyc_probe.layout.header);
  if (type == api->method_descriptor_type) return fields[kMethodOfDescriptor];
  return type == api->c_function_type || type == api->c_method_type ? fields[0] : NULL;
}

static int is_hidden(PyObject* code) { return pyc_probe.definitions.has_globs && pyc_code_id(code) & PYC_HIDDEN; }

void pyc_tell_c_call(PyObject* code, PyObject* callable) {
  const void* definition = definition_of(callable);
  if (!definition || is_hidden(code)) return;
  const struct pyc_moment moment = pyc_begin(PYC_RING_C_CALL);
  if (!moment.thread) return;
  const uint32_t known = pyc_find_id(&pyc_probe.definitions.by_code, (uint64_t)(uintptr_t)definition);
  ++moment.thread->open_c_calls;
  pyc_tell(&moment, PYC_RING_C_CALL, known ? known : pyc_define_c_function(callable, definition));
}

void pyc_tell_c_return(PyObject* code, PyObject* callable) {
  const void* definition = definition_of(callable);
  if (!definition || is_hidden(code)) return;
  const struct pyc_moment moment = pyc_begin(PYC_RING_C_RETURN);
  // One that was called before the hooks came is no call that could end.
  if (!moment.thread || moment.thread->open_c_calls == 0) return;
  --moment.thread->open_c_calls;
  pyc_tell(&moment, PYC_RING_C_RETURN, pyc_find_id(&pyc_probe.definitions.by_code, (uint64_t)(uintptr_t)definition));
}

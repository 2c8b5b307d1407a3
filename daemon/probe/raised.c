#include "daemon/probe/raised.h"

// Where a frame is.
static uint32_t line_of(const void* object) {
  pyc_frame* frame = pyc_frame_of(object);
  const int64_t at = pyc_instruction_of(frame);
  return pyc_line_id_at(pyc_code_of(frame), at > 0 ? (uint64_t)at : 0);
}

// Handlers in one frame that have not ended.
static uint32_t count_of(const struct pyc_thread* thread, const void* frame) {
  uint32_t count = 0;
  while (count < thread->taken_count && thread->taken[thread->taken_count - 1 - count].frame == frame) ++count;
  return count;
}

// Which of several handlers lets its exception go on is seen only where the ends of the others are: by instructions.
static void watch(const struct pyc_thread* thread, const void* frame) {
  if (!(pyc_probe.collectors & PYC_PROBE_INSTRUCTION)) pyc_trace_opcodes(frame, count_of(thread, frame) > 1);
}

static void remember_taken(struct pyc_thread* thread, const void* frame, const void* exception) {
  if (thread->taken_count == kPycTaken) {
    for (uint32_t i = 1; i < kPycTaken; ++i) thread->taken[i - 1] = thread->taken[i];
    --thread->taken_count;
  }
  thread->taken[thread->taken_count++] = (struct pyc_taken){frame, exception};
  watch(thread, frame);
}

static void tell_caught(const struct pyc_moment* moment, const void* frame, const void* exception) {
  struct pyc_thread* thread = moment->thread;
  const struct pyc_ring_slot more = {thread->frames_unwound, 0};
  pyc_ring_write(&thread->writer, PYC_RING_CAUGHT, moment->time, line_of(frame), pyc_exception_key(exception), &more,
                 1);
  thread->frames_unwound = 0;
  thread->unwound = NULL;
}

// The exception that came to the frame last stays there.
static void take(const struct pyc_moment* moment) {
  struct pyc_thread* thread = moment->thread;
  tell_caught(moment, thread->raised_in, thread->raised);
  remember_taken(thread, thread->raised_in, thread->raised);
  thread->raised_in = NULL;
}

static void tell_raised(const struct pyc_moment* moment, const void* frame, PyObject* exception) {
  struct pyc_thread* thread = moment->thread;
  if (!(pyc_probe.collectors & PYC_PROBE_CALL)) pyc_tell_place(moment);
  thread->frames_unwound = 0;
  const struct pyc_ring_slot more = {line_of(frame), 0};
  pyc_ring_write(&thread->writer, PYC_RING_RAISE, moment->time, pyc_define_type_of(exception),
                 pyc_exception_key(exception), &more, 1);
}

// A StopIteration that a loop or an `await` ends with is told of as well. It never was in the frame itself.
static int is_of_frame(PyObject* traceback, const void* frame) {
  if (!traceback || traceback == pyc_probe.api.none) return 0;
  PyObject* own = pyc_probe.api.attribute(traceback, "tb_frame");
  if (!own) pyc_probe.api.clear_error();
  pyc_release(own);
  return own == frame;
}

void pyc_exception_comes(const struct pyc_moment* moment, const void* frame, PyObject* exception, PyObject* traceback) {
  struct pyc_thread* thread = moment->thread;
  if (thread->raised_in) take(moment);
  const int passes = thread->unwound == exception, is_of_it = is_of_frame(traceback, frame);
  if (!is_of_it) {
    if (passes) tell_caught(moment, frame, exception);
    return;
  }
  if (!passes) tell_raised(moment, frame, exception);
  thread->unwound = NULL;
  thread->raised_in = frame;
  thread->raised = exception;
}

// Handlers that have come to their end do not let anything go on any more: but for the `left` first ones of the frame.
static void forget_handled(struct pyc_thread* thread, const void* frame, uint32_t left) {
  uint32_t count = count_of(thread, frame);
  if (count <= left) return;
  PyObject *type, *exception, *traceback;
  pyc_probe.api.handled(&type, &exception, &traceback);
  for (; count > left && thread->taken[thread->taken_count - 1].exception != exception; --count) --thread->taken_count;
  PyObject* used[] = {type, exception, traceback};
  for (unsigned i = 0; i < sizeof used / sizeof used[0]; ++i) pyc_release(used[i]);
  watch(thread, frame);
}

static void go_on(const struct pyc_moment* moment, const void* frame, uint32_t left) {
  struct pyc_thread* thread = moment->thread;
  thread->unwound = NULL;
  if (!thread->raised_in) return forget_handled(thread, frame, left);
  if (thread->raised_in == frame) return take(moment);
  thread->raised_in = NULL;
}

void pyc_line_begins(const struct pyc_moment* moment, const void* frame) { go_on(moment, frame, 0); }

// What a handler has ends just before the instruction by which it lets it go on.
void pyc_instruction_begins(const struct pyc_moment* moment, const void* frame) {
  go_on(moment, frame, pyc_is_at_reraise(pyc_frame_of(frame)) ? kPycTaken : 1);
}

void pyc_frame_is_entered(const struct pyc_moment* moment, const void* frame) {
  (void)frame;
  if (moment->thread->raised_in) take(moment);
}

static void forget_frame(struct pyc_thread* thread, const void* frame) {
  while (thread->taken_count > 0 && thread->taken[thread->taken_count - 1].frame == frame) --thread->taken_count;
}

// Without another exception a frame is left by one that a handler in it had taken, and lets go on.
static const void* let_go_on(const struct pyc_moment* moment, const void* frame) {
  struct pyc_thread* thread = moment->thread;
  for (uint32_t i = thread->taken_count; i > 0; --i) {
    const struct pyc_taken* taken = &thread->taken[i - 1];
    if (taken->frame != frame) continue;
    pyc_ring_write(&thread->writer, PYC_RING_RERAISE, moment->time, 0, pyc_exception_key(taken->exception), NULL, 0);
    thread->frames_unwound = 0;
    return taken->exception;
  }
  return NULL;
}

void pyc_frame_is_left(const struct pyc_moment* moment, const void* frame, uint32_t type) {
  struct pyc_thread* thread = moment->thread;
  if (type == PYC_RING_UNWIND) {
    thread->unwound = thread->raised_in == frame ? thread->raised : let_go_on(moment, frame);
    thread->raised_in = NULL;
    ++thread->frames_unwound;
  } else {
    if (thread->raised_in) take(moment);
    thread->unwound = NULL;
  }
  if (type != PYC_RING_YIELD) forget_frame(thread, frame);
}

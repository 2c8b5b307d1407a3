#include "daemon/probe/call_stack.h"

// Of a thread's own stack so much may be used, and of each further one, which has as much left then as any thread's
// has.
enum { kPartOfStack = 4 };
#define kStack (16ul << 20)
#define kLeft (8ul << 20)
// Where nobody knows how much a thread has, it may use so much from where it is.
#define kUnknownRoom (24ul << 10)

enum { kMostSpare = 2 };

struct stack {
  struct stack* next;
};
// The GIL guards them.
static struct stack* spare;
static uint32_t spare_count;

static struct stack* take_stack(void) {
  struct stack* stack = spare;
  if (!stack) return pyc_map(kStack);
  spare = stack->next;
  --spare_count;
  return stack;
}

static void give_stack(struct stack* stack) {
  if (!pyc_probe.records || spare_count == kMostSpare) return pyc_unmap(stack, kStack);
  stack->next = spare;
  spare = stack;
  ++spare_count;
}

void pyc_free_stacks(void) {
  while (spare) {
    struct stack* stack = spare;
    spare = stack->next;
    pyc_unmap(stack, kStack);
  }
  spare_count = 0;
}

PyObject* pyc_evaluate(void* state, pyc_frame* frame, int throws) {
  void* const function = pyc_probe.api.evaluate;
  if (pyc_probe.layout.hooks == PYC_PROBE_FRAMES) return ((PyObject * (*)(pyc_frame*, int)) function)(frame, throws);
  return ((PyObject * (*)(void*, pyc_frame*, int)) function)(state, frame, throws);
}

// pyc_evaluate() with the stack that ends at `top`.
static __attribute__((naked, noinline)) PyObject* evaluate_on(void* state, pyc_frame* frame, int throws, void* top) {
  (void)state, (void)frame, (void)throws, (void)top;
  __asm__(
      "push %rbp\n"
      "mov %rsp, %rbp\n"
      "mov %rcx, %rsp\n"
      "call pyc_evaluate\n"
      "mov %rbp, %rsp\n"
      "pop %rbp\n"
      "ret");
}

static void measure_stack(struct pyc_thread* thread) {
  enum { kAttributes = 56 };  // sizeof(pthread_attr_t), of glibc and musl
  const struct pyc_probe_api* api = &pyc_probe.api;
  uint64_t attributes[kAttributes / sizeof(uint64_t) * 2] = {0};
  void* begin = NULL;
  uint64_t size = 0;
  if (api->pthread_attributes && api->pthread_attributes(api->pthread_self(), attributes) == 0) {
    if (api->pthread_stack(attributes, &begin, &size) != 0) size = 0;
    api->pthread_end_attributes(attributes);
  }
  const uintptr_t here = (uintptr_t)__builtin_frame_address(0);
  if (here - (uintptr_t)begin < size) {
    const uintptr_t own = (uintptr_t)begin + size - here;
    thread->guard = (uintptr_t)begin;
    // Where it is deep already when the probe comes, it is given the same part of what is left.
    thread->guard_size = size - own - (size - own) / kPartOfStack;
  } else {
    thread->guard_size = here - kUnknownRoom;
    thread->guard = 0;
  }
}

// Greenlets copy what is between two places of one stack: while they are switched another one had better not be in use.
static int has_greenlets(void) {
  const struct pyc_probe_api* api = &pyc_probe.api;
  const struct pyc_held_error error = pyc_hold_error();
  PyObject* modules = api->sys_object("modules");
  PyObject* name = modules ? api->new_text("greenlet") : NULL;
  PyObject* module = name ? api->item(modules, name) : NULL;
  if (!module) api->clear_error();
  pyc_release(module);
  pyc_release(name);
  pyc_restore_error(error);
  return module != NULL;
}

// `left`: what of the C stack is.
static PyObject* evaluate_elsewhere(struct pyc_thread* thread, pyc_frame* frame, int throws, uintptr_t left) {
  // What greenlets may use of it before there is nothing else to be done.
  enum { kPartOfGuard = 6 };
  const uintptr_t guard = thread->guard, guard_size = thread->guard_size;
  const int is_needed = left < guard_size / kPartOfGuard || !has_greenlets();
  struct stack* stack = is_needed ? take_stack() : NULL;
  if (!stack) return pyc_evaluate(thread->state, frame, throws);
  thread->guard = (uintptr_t)stack;
  thread->guard_size = kLeft;
  PyObject* result = evaluate_on(thread->state, frame, throws, (char*)stack + kStack);
  thread->guard = guard;
  thread->guard_size = guard_size;
  give_stack(stack);
  return result;
}

PyObject* pyc_evaluate_with_room(struct pyc_thread* thread, pyc_frame* frame, int throws) {
  if (__builtin_expect(thread->guard_size == 0, 0)) measure_stack(thread);
  const uintptr_t left = (uintptr_t)__builtin_frame_address(0) - thread->guard;
  if (__builtin_expect(left < thread->guard_size, 0)) return evaluate_elsewhere(thread, frame, throws, left);
  return pyc_evaluate(thread->state, frame, throws);
}

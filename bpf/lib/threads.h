// From the running thread to its PyThreadState: the one whose thread_id is the thread's pthread_self(), which is its FS
// base on x86-64 (glibc: THREAD_SELF in sysdeps/x86_64/nptl/tls.h; musl: __pthread_self in arch/x86_64).
#pragma once

#include "bpf/lib/scratch.h"

// Found thread states by tid, direct-mapped; each use checks them again. `thread` 0: none was found; looked for again
// after a while only, since a thread without Python would else have the whole list walked at each tick.
#define PYC_THREADS 1024
#define PYC_NO_THREAD_NS 10000000
#define PYC_MAX_THREAD_STEPS 8192
struct pyc_found_thread {
  pyc_u64 thread;
  pyc_u64 found_ns;
  pyc_u32 tid;
  pyc_u32 reserved;
};
static struct pyc_found_thread pyc_found_threads[PYC_THREADS];

static inline long pyc_read_thread(struct pyc_scratch* scratch, pyc_u64 thread) {
  return pyc_read(scratch->thread, PYC_THREAD_BYTES, thread);
}

static inline int pyc_is_thread(const struct pyc_scratch* scratch, pyc_u64 id) {
  return pyc_u64_at(scratch->thread, scratch->process.layout.thread_id & 0xf8) == id;
}

static long pyc_search_step(pyc_u32 step, struct pyc_scratch** context) {
  struct pyc_scratch* scratch = *context;
  const struct pyc_layout* layout = &scratch->process.layout;
  struct pyc_thread_search* search = &scratch->search;
  long failed = 0;
  if (!search->thread) {
    if (!search->interpreter) return 1;
    search->thread = pyc_read_u64(search->interpreter + layout->interpreter_threads_head, &failed);
    search->interpreter = pyc_read_u64(search->interpreter + layout->interpreter_next, &failed);
  } else if (!(failed = pyc_read_thread(scratch, search->thread))) {
    search->found = pyc_is_thread(scratch, search->id);
    if (search->found) return 1;
    search->thread = pyc_u64_at(scratch->thread, layout->thread_next & 0xf8);
  }
  if (failed) scratch->error = PYC_ERROR_THREAD_LIST;
  return failed != 0;
}

// Walks all interpreters' lists for the thread state of thread `id`; its address is left in scratch->search, its
// content in scratch->thread.
__noinline int pyc_search_thread(pyc_u64 id) {
  struct pyc_scratch* scratch = pyc_get_scratch();
  if (!scratch) return 0;
  long failed = 0;
  scratch->search.id = id;
  scratch->search.thread = scratch->search.found = 0;
  scratch->search.interpreter =
      pyc_read_u64(scratch->process.runtime + scratch->process.layout.runtime_interpreters_head, &failed);
  if (failed) scratch->error = PYC_ERROR_THREAD_LIST;
  if (!failed) bpf_loop(PYC_MAX_THREAD_STEPS, pyc_search_step, &scratch, 0);
  return 0;
}

// Whether `thread`, whose content is in the scratch, still belongs to thread `id`: a freed one is no longer linked.
static inline int pyc_thread_holds(struct pyc_scratch* scratch, pyc_u64 thread, pyc_u64 id) {
  const struct pyc_layout* layout = &scratch->process.layout;
  if (!pyc_is_thread(scratch, id)) return 0;
  pyc_u64 previous = pyc_u64_at(scratch->thread, 0);
  pyc_u64 interpreter = pyc_u64_at(scratch->thread, layout->thread_interp & 0xf8);
  pyc_u64 link = previous ? previous + layout->thread_next : interpreter + layout->interpreter_threads_head;
  long failed = 0;
  return pyc_read_u64(link, &failed) == thread && !failed;
}

// Whether the running thread has a thread state; its address is then in scratch->search, its content in
// scratch->thread. May set scratch->error.
static inline int pyc_find_thread(struct pyc_scratch* scratch, pyc_u32 tid, pyc_u64 id, pyc_u64 now) {
  struct pyc_found_thread* found = &pyc_found_threads[tid & (PYC_THREADS - 1)];
  if (found->tid == tid) {
    pyc_u64 thread = found->thread;
    if (!thread && now - found->found_ns < PYC_NO_THREAD_NS) return 0;
    if (thread && !pyc_read_thread(scratch, thread) && pyc_thread_holds(scratch, thread, id)) {
      scratch->search.thread = thread;
      return 1;
    }
  }
  pyc_search_thread(id);
  if (scratch->error) return 0;
  found->tid = tid;
  found->found_ns = now;
  found->thread = scratch->search.found ? scratch->search.thread : 0;
  return scratch->search.found;
}

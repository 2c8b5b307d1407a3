// Which ring a thread of the target writes to. Each thread finds and changes its own entry only.
#pragma once

#include "daemon/probe/freestanding.h"
#include "daemon/probe/probe.h"

enum { kPycNestedImports = 64 };  // deeper ones are not told apart from what they are nested in

struct pyc_import {
  uint64_t begin;
  uint64_t nested;          // time that imports within it have taken
  uint32_t module, parent;  // texts
  PyObject* name;           // null: it is not one that is told of
};

// A function that was on the stack before the probe came.
struct pyc_standing {
  const void* frame;
  uint64_t function;
};

// An exception that a handler has taken, and may let go on.
struct pyc_taken {
  const void *frame, *exception;
};
enum { kPycTaken = 16 };  // of more than that the oldest are forgotten

struct pyc_thread {
  void* state;                    // its PyThreadState; null: the entry is free
  uint64_t id;                    // of that state: another thread may have its memory later
  struct pyc_ring_writer writer;  // without a ring: there was none left
  uint32_t open_c_calls;          // whose end is to be told
  uint32_t import_depth;
  struct pyc_import imports[kPycNestedImports];
  const void* unwound;         // the exception that the last function was left by
  uint32_t unwound_importlib;  // that was the function that imports
  uint32_t frames_unwound;     // since an exception was raised, or raised again
  uint64_t gc_begin;
  uint32_t missed;      // events, since there was no ring
  uint64_t generation;  // of the recording
  // Where frames are evaluated:
  uint64_t frames_evaluated;      // of those that the evaluator has begun, how many have not ended
  struct pyc_standing* standing;  // the root-most first
  uint32_t standing_count;
  uint32_t taken_count;
  uintptr_t guard;                 // where the C stack goes no further, see call_stack.h
  uintptr_t guard_size;            // 0: not known yet
  const void *raised_in, *raised;  // the frame where an exception came last, while that has not gone on
  struct pyc_taken taken[kPycTaken];
};

enum { kPycPopulated = 8 };
enum { kPycThreadEntries = 4096 };  // more than rings: an entry that was in use stays

struct pyc_threads {
  struct pyc_thread* entries;
};

static inline void pyc_start_threads(struct pyc_threads* threads) {
  threads->entries = pyc_map(kPycThreadEntries * sizeof *threads->entries);
}

static inline void pyc_end_threads(struct pyc_threads* threads) {
  pyc_unmap(threads->entries, kPycThreadEntries * sizeof *threads->entries);
  threads->entries = NULL;
}

// The entry of a thread state, its own or a free one; null: all are taken.
static inline struct pyc_thread* pyc_thread_entry(struct pyc_threads* threads, void* state) {
  if (!threads->entries) return NULL;
  for (uint64_t i = 0, at = pyc_hash(state) >> 20; i < kPycThreadEntries; ++i, ++at) {
    struct pyc_thread* entry = &threads->entries[at % kPycThreadEntries];
    void* found = __atomic_load_n(&entry->state, __ATOMIC_ACQUIRE);
    if (found == state || !found) return entry;
  }
  return NULL;
}

// Null: it has no ring yet.
static inline struct pyc_thread* pyc_find_thread(struct pyc_threads* threads, void* state, uint64_t id) {
  struct pyc_thread* entry = pyc_thread_entry(threads, state);
  return entry && entry->state == state && entry->id == id ? entry : NULL;
}

// The number of the calling thread's ring: the one that it has, as another thread state of its, or a free one.
// PYC_PROBE_MAX_THREADS: none is.
static inline uint32_t pyc_ring_of_thread(struct pyc_probe_control* control) {
  const int32_t tid = (int32_t)pyc_system_call(kSysGettid, 0, 0, 0, 0, 0, 0);
  for (uint32_t i = 0; i < control->thread_count; ++i)
    if (__atomic_load_n(&control->threads[i].tid, __ATOMIC_RELAXED) == tid) return i;
  for (uint32_t i = 0; i < control->thread_count; ++i) {
    int32_t nobody = 0;
    if (__atomic_compare_exchange_n(&control->threads[i].tid, &nobody, tid, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
      return i;
  }
  return PYC_PROBE_MAX_THREADS;
}

// Gives the calling thread an entry, with a ring where one is free; null: there is no entry left.
static inline struct pyc_thread* pyc_claim_ring(struct pyc_threads* threads, struct pyc_probe_control* control,
                                                void* state, uint64_t id, uint64_t ident,
                                                const struct pyc_ring_means* means) {
  struct pyc_thread* entry;
  for (;;) {
    entry = pyc_thread_entry(threads, state);
    if (!entry || entry->state == state) break;
    void* nobody = NULL;
    if (__atomic_compare_exchange_n(&entry->state, &nobody, state, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) break;
  }
  if (!entry) return NULL;
  // The state that it has stays there all the time: others look for a free one.
  const struct pyc_thread fresh = {.state = state, .id = id};
  memcpy((char*)entry + sizeof entry->state, (const char*)&fresh + sizeof entry->state,
         sizeof fresh - sizeof entry->state);
  const uint32_t number = pyc_ring_of_thread(control);
  if (number == PYC_PROBE_MAX_THREADS) return entry;
  struct pyc_ring* ring = (struct pyc_ring*)((char*)control + control->rings_at + number * control->ring_stride);
  // Of the first threads, which are mostly those that do the work, and not of children, which are many and short-lived.
  if (number < kPycPopulated && control->pid == 0) pyc_populate(ring, control->ring_stride);
  control->threads[number].ident = ident;
  pyc_ring_start(&entry->writer, ring, means);
  __atomic_store_n(&control->threads[number].state, PYC_PROBE_RING_CLAIMED, __ATOMIC_RELEASE);
  return entry;
}

// Whether it has a ring; readies it: it may have been written to meanwhile, as another state of the same thread.
static inline int pyc_continue_ring(struct pyc_thread* thread) {
  struct pyc_ring* ring = thread->writer.ring;
  if (!ring) return 0;
  if (__atomic_load_n(&ring->head, __ATOMIC_RELAXED) != thread->writer.head)
    pyc_ring_start(&thread->writer, ring, thread->writer.means);
  return 1;
}

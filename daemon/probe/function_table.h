// The functions of the target that have been seen: their numbers by code object, and their definitions for the daemon.
// Any thread finds; whoever changes the table holds its lock.
#pragma once

#include "daemon/probe/freestanding.h"
#include "daemon/probe/probe.h"

struct pyc_function {
  PyObject* code;  // null: none; kForgotten: none any more
  uint32_t id;
  uint32_t padding;
};

struct pyc_function_slots {
  uint64_t mask;  // their number less one
  struct pyc_function slot[];
};

struct pyc_functions {
  uint32_t lock;
  uint32_t texts, ids;  // numbers that are taken
  uint64_t used;        // slots, forgotten ones too
  struct pyc_function_slots* slots;
  intptr_t extra;     // index of what code objects carry for us; negative: there is none
  uint32_t unlocked;  // not 0: threads find while others change
  struct pyc_ring_writer definitions;
};

#define PYC_FORGOTTEN ((PyObject*)1)

static inline struct pyc_function_slots* pyc_new_function_slots(uint64_t count) {
  struct pyc_function_slots* slots = pyc_map(sizeof *slots + count * sizeof slots->slot[0]);
  if (slots) slots->mask = count - 1;
  return slots;
}

static inline void pyc_start_functions(struct pyc_functions* f, struct pyc_probe_control* control, uint32_t unlocked) {
  enum { kSlots = 1 << 14 };
  f->lock = 0;
  f->texts = f->ids = 0;
  f->used = 0;
  f->slots = pyc_new_function_slots(kSlots);
  f->extra = -1;
  f->unlocked = unlocked;
  pyc_ring_start(&f->definitions, (struct pyc_ring*)((char*)control + control->definitions_at));
}

// 0: it has none (yet).
static inline uint32_t pyc_find_function(struct pyc_functions* f, PyObject* code) {
  struct pyc_function_slots* slots = __atomic_load_n(&f->slots, __ATOMIC_ACQUIRE);
  if (!slots) return 0;
  for (uint64_t i = pyc_hash(code) >> 20;; ++i) {
    struct pyc_function* slot = &slots->slot[i & slots->mask];
    PyObject* found = __atomic_load_n(&slot->code, __ATOMIC_ACQUIRE);
    if (found == code) return __atomic_load_n(&slot->id, __ATOMIC_RELAXED);
    if (!found) return 0;
  }
}

static inline void pyc_put_function(struct pyc_function_slots* slots, PyObject* code, uint32_t id) {
  uint64_t i = pyc_hash(code) >> 20;
  while (slots->slot[i & slots->mask].code) ++i;
  struct pyc_function* slot = &slots->slot[i & slots->mask];
  slot->id = id;
  __atomic_store_n(&slot->code, code, __ATOMIC_RELEASE);
}

// Twice as many slots, or as many without those that are forgotten. Where somebody may read the old ones meanwhile,
// they stay.
static inline int pyc_grow_functions(struct pyc_functions* f) {
  uint64_t live = 0;
  for (uint64_t i = 0; i <= f->slots->mask; ++i)
    live += f->slots->slot[i].code && f->slots->slot[i].code != PYC_FORGOTTEN;
  struct pyc_function_slots* old = f->slots;
  const uint64_t count = old->mask + 1;
  struct pyc_function_slots* grown = pyc_new_function_slots(live * 4 > count ? count * 2 : count);
  if (!grown) return 0;
  for (uint64_t i = 0; i < count; ++i) {
    const struct pyc_function slot = old->slot[i];
    if (slot.code && slot.code != PYC_FORGOTTEN) pyc_put_function(grown, slot.code, slot.id);
  }
  f->used = live;
  __atomic_store_n(&f->slots, grown, __ATOMIC_RELEASE);
  if (!f->unlocked)
    pyc_system_call(kSysMunmap, (long)old, (long)(sizeof *old + count * sizeof old->slot[0]), 0, 0, 0, 0);
  return 1;
}

static inline uint32_t pyc_define_text(struct pyc_functions* f, const char* bytes, uint64_t size) {
  struct pyc_ring_slot more[PYC_RING_MAX_TEXT / sizeof(struct pyc_ring_slot)];
  if (size > PYC_RING_MAX_TEXT) {
    size = PYC_RING_MAX_TEXT;
    while (size > 0 && (bytes[size] & 0xC0) == 0x80) --size;  // not within a character
  }
  const uint32_t slots = (uint32_t)((size + sizeof more[0] - 1) / sizeof more[0]);
  if (slots) more[slots - 1] = (struct pyc_ring_slot){0, 0};
  memcpy(more, bytes, size);
  const uint32_t id = ++f->texts;
  pyc_ring_write(&f->definitions, PYC_RING_TEXT, 0, id, (uint32_t)size, more, slots, pyc_pause_50us);
  return id;
}

// Numbers a function that has no number. 0 without memory: its events refer to nothing, and are counted as lost.
static inline uint32_t pyc_add_function(struct pyc_functions* f, PyObject* code, uint32_t name, uint32_t file,
                                        uint64_t first_line) {
  if (!f->slots || (f->used * 2 > f->slots->mask && !pyc_grow_functions(f))) return 0;
  const uint32_t id = ++f->ids;
  const struct pyc_ring_slot more[2] = {{file, first_line}, {0, 0}};
  pyc_ring_write(&f->definitions, PYC_RING_FUNCTION, 0, id, name, more, 2, pyc_pause_50us);
  pyc_put_function(f->slots, code, id);
  ++f->used;
  return id;
}

// The code object ends.
static inline void pyc_forget_function(struct pyc_functions* f, PyObject* code) {
  pyc_lock(&f->lock);
  for (uint64_t i = pyc_hash(code) >> 20; f->slots; ++i) {
    struct pyc_function* slot = &f->slots->slot[i & f->slots->mask];
    if (!slot->code) break;
    if (slot->code != code) continue;
    __atomic_store_n(&slot->code, PYC_FORGOTTEN, __ATOMIC_RELEASE);
    break;
  }
  pyc_unlock(&f->lock);
}

// From what the target knows something by to the number that the daemon knows it by. Any thread finds; whoever changes
// a table holds the lock of all that is defined.
#pragma once

#include "daemon/probe/freestanding.h"

struct pyc_id {
  uint64_t key;  // 0: none; kForgotten: none any more
  uint32_t id;
  uint32_t uses;  // that pyc_use_id() has counted, of all threads about
};

struct pyc_id_slots {
  uint64_t mask;  // their number less one
  struct pyc_id slot[];
};

struct pyc_id_table {
  struct pyc_id_slots* slots;
  uint64_t used;      // slots, forgotten ones too
  uint32_t unlocked;  // not 0: threads find while others change
};

#define PYC_FORGOTTEN 1u

static inline struct pyc_id_slots* pyc_new_ids(uint64_t count) {
  struct pyc_id_slots* slots = pyc_map(sizeof *slots + count * sizeof slots->slot[0]);
  if (slots) slots->mask = count - 1;
  return slots;
}

static inline void pyc_start_ids(struct pyc_id_table* table, uint32_t unlocked) {
  enum { kSlots = 1 << 14 };
  table->slots = pyc_new_ids(kSlots);
  table->used = 0;
  table->unlocked = unlocked;
}

static inline void pyc_end_ids(struct pyc_id_table* table) {
  struct pyc_id_slots* slots = table->slots;
  table->slots = NULL;
  if (slots) pyc_unmap(slots, sizeof *slots + (slots->mask + 1) * sizeof slots->slot[0]);
}

static inline uint64_t pyc_first_slot(uint64_t key) { return key * 0x9E3779B97F4A7C15u >> 20; }

// 0: it has none (yet).
static inline uint32_t pyc_find_id(const struct pyc_id_table* table, uint64_t key) {
  struct pyc_id_slots* slots = __atomic_load_n(&table->slots, __ATOMIC_ACQUIRE);
  if (!slots) return 0;
  for (uint64_t i = pyc_first_slot(key);; ++i) {
    struct pyc_id* slot = &slots->slot[i & slots->mask];
    const uint64_t found = __atomic_load_n(&slot->key, __ATOMIC_ACQUIRE);
    if (found == key) return __atomic_load_n(&slot->id, __ATOMIC_RELAXED);
    if (!found) return 0;
  }
}

// The same, and counts that it was used.
static inline uint32_t pyc_use_id(const struct pyc_id_table* table, uint64_t key, uint32_t* uses) {
  struct pyc_id_slots* slots = __atomic_load_n(&table->slots, __ATOMIC_ACQUIRE);
  for (uint64_t i = pyc_first_slot(key); slots; ++i) {
    struct pyc_id* slot = &slots->slot[i & slots->mask];
    const uint64_t found = __atomic_load_n(&slot->key, __ATOMIC_ACQUIRE);
    if (!found) break;
    if (found != key) continue;
    *uses = ++slot->uses;
    return __atomic_load_n(&slot->id, __ATOMIC_RELAXED);
  }
  *uses = 1;
  return 0;
}

static inline void pyc_put_id(struct pyc_id_slots* slots, const struct pyc_id* value) {
  uint64_t i = pyc_first_slot(value->key);
  while (slots->slot[i & slots->mask].key) ++i;
  struct pyc_id* slot = &slots->slot[i & slots->mask];
  slot->id = value->id;
  slot->uses = value->uses;
  __atomic_store_n(&slot->key, value->key, __ATOMIC_RELEASE);
}

// Twice as many slots, or as many without those that are forgotten. Where somebody may read the old ones meanwhile,
// they stay.
static inline int pyc_grow_ids(struct pyc_id_table* table) {
  struct pyc_id_slots* old = table->slots;
  const uint64_t count = old->mask + 1;
  uint64_t live = 0;
  for (uint64_t i = 0; i < count; ++i) live += old->slot[i].key > PYC_FORGOTTEN;
  struct pyc_id_slots* grown = pyc_new_ids(live * 4 > count ? count * 2 : count);
  if (!grown) return 0;
  for (uint64_t i = 0; i < count; ++i)
    if (old->slot[i].key > PYC_FORGOTTEN) pyc_put_id(grown, &old->slot[i]);
  table->used = live;
  __atomic_store_n(&table->slots, grown, __ATOMIC_RELEASE);
  if (!table->unlocked)
    pyc_system_call(kSysMunmap, (long)old, (long)(sizeof *old + count * sizeof old->slot[0]), 0, 0, 0, 0);
  return 1;
}

// Whether there is room for one more; without memory there is none.
static inline int pyc_has_room(struct pyc_id_table* table) {
  return table->slots && (table->used * 2 <= table->slots->mask || pyc_grow_ids(table));
}

// Of a key that has none; pyc_has_room() has said that there is room.
static inline void pyc_add_id(struct pyc_id_table* table, uint64_t key, uint32_t id) {
  const struct pyc_id value = {key, id, 1};
  pyc_put_id(table->slots, &value);
  ++table->used;
}

static inline void pyc_forget_id(struct pyc_id_table* table, uint64_t key) {
  for (uint64_t i = pyc_first_slot(key); table->slots; ++i) {
    struct pyc_id* slot = &table->slots->slot[i & table->slots->mask];
    if (!slot->key) return;
    if (slot->key != key) continue;
    __atomic_store_n(&slot->key, PYC_FORGOTTEN, __ATOMIC_RELEASE);
    return;
  }
}

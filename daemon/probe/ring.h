// Shared memory between one thread of a target, which writes what it does, and the daemon, which reads it: plain C,
// since the writing side runs in the target and may depend on nothing.
//
// Byte by byte, little endian:
//
//      0  magic:u64 version:u32 slots:u32 on_full:u32 padding{44}   the daemon's; never changed once the
//                                                                 writer has started
//     64  head:u64 lost:u64 closed:u32 padding{44}                  the writer's
//    128  tail:u64 closed:u32 padding{52}                           the daemon's
//   4096  slot{slots}                                               16 bytes each; slots is a power of two
//
//   head    slots written since the start: everything below it is complete. Stored with release order after the
//           slots of each record: the daemon looks only once in a while, so that a store for each event costs the
//           writer nothing (the line is its own), and a writer that is killed has published all that it wrote.
//   tail    slots that the daemon has read: the writer may write up to tail + slots.
//   lost    events that were dropped since there was no room.
//   closed  1: this side is gone for good. Who reads drains what is there; who writes drops all that comes.
//
// A record is one slot, and as many more as its type has (pyc_ring_more), at successive places modulo slots:
//
//   slot   := (time << 8 | type):u64 id:u32 extra:u32
//   more   := argument:u64 argument:u64
//   time   := of CLOCK_MONOTONIC in ns, or of the time stamp counter, as the daemon has told the writer
//
// Ids of texts, functions and locations are the writer's own, one numbering for each process from 1 on (0: unknown),
// and must have been defined, by records in a ring of their own, before a record that uses them is published. All
// writers of a process define in that one ring, under a lock.
//
// With on_full = block a writer without room waits, looking again each 50 us, until there is room or the daemon is
// gone: when neither tail nor closed changes for 2 s, it goes on as with drop.
//
// The daemon does not trust any of it: see ring_reader.h.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PYC_RING_MAGIC 0x474e495243595001ull
#define PYC_RING_VERSION 1u
#define PYC_RING_SLOTS_AT 4096u
#define PYC_RING_MAX_TEXT 4096u
// So many slots ahead a writer asks for the memory, which is in the reader's cache.
#define PYC_RING_AHEAD 32u

enum pyc_ring_on_full { PYC_RING_DROP = 0, PYC_RING_BLOCK = 1 };

enum pyc_ring_type {
  // id: a function
  PYC_RING_CALL = 0,
  PYC_RING_RETURN = 1,
  PYC_RING_RESUME = 2,
  PYC_RING_YIELD = 3,
  PYC_RING_THROW = 4,
  PYC_RING_UNWIND = 5,
  PYC_RING_C_CALL = 6,
  PYC_RING_C_RETURN = 7,
  // id: a location
  PYC_RING_LINE = 8,
  PYC_RING_INSTRUCTION = 9,
  // id: a text; arguments
  PYC_RING_ALLOCATION = 10,  // type, 0 unknown; address, bytes
  PYC_RING_FREE = 11,        // 0; address, 0
  PYC_RING_OBJECT = 12,      // type; address, bytes
  PYC_RING_OBJECT_END = 13,  // 0; address, most references seen
  PYC_RING_GC = 14,          // generation; duration (time), collected, uncollectable, 0
  PYC_RING_IMPORT = 15,      // module; duration, own duration (time), parent, path or 0
  // An exception, `extra` telling it apart from others that are alive.
  PYC_RING_RAISE = 16,    // type; location, 0
  PYC_RING_CAUGHT = 17,   // location; functions that it has left since it was raised, or raised again, 0
  PYC_RING_SPAN = 18,     // name; duration ns, category
  PYC_RING_COUNTER = 19,  // name; value, 0
  PYC_RING_HEAP = 20,     // type; objects, bytes, largest length, referrer
  PYC_RING_LABELS = 21,   // a label set, 0: none
  PYC_RING_LOCAL = 22,    // name; text, 0
  PYC_RING_THREAD_START = 23,
  PYC_RING_THREAD_END = 24,
  // No event: id is a location that is on the thread's stack without having been called in the ring; extra: see below.
  PYC_RING_STANDS = 25,
  PYC_RING_RERAISE = 26,  // 0: the handler that took an exception, told by `extra`, lets it go on
  PYC_RING_EVENT_TYPES = 27,
  // Definitions of `id`, in the ring of definitions:
  PYC_RING_TEXT = 64,      // extra: bytes of UTF-8, at most PYC_RING_MAX_TEXT, in as many more slots as they need
  PYC_RING_FUNCTION = 65,  // extra: name; path or module, first line, 1 for a C function, 0
  // extra: function; line, offset or -1 in the low half and in the high one a text that names the instruction, or 0
  PYC_RING_LOCATION = 66,
  PYC_RING_LABEL = 67,  // extra: 0; key, value: a label set of one
};

// What a location that stands on the stack is.
enum pyc_ring_stands {
  PYC_RING_STANDS_NEXT = 0,   // called by the one before
  PYC_RING_STANDS_FIRST = 1,  // the root-most one; what was told of the stack before is to be forgotten
  PYC_RING_STANDS_LEAF = 2,   // where the function is that was called last
};

struct pyc_ring {
  uint64_t magic;
  uint32_t version, slots, on_full;
  uint32_t padding_0[11];
  uint64_t head, lost;
  uint32_t writer_closed;
  uint32_t padding_1[11];
  uint64_t tail;
  uint32_t reader_closed;
  uint32_t padding_2[13];
};

struct pyc_ring_slot {
  uint64_t first, second;
};

// How many slots follow the first of an event.
static inline uint32_t pyc_ring_more(uint32_t type) {
  if (type < PYC_RING_ALLOCATION) return 0;
  switch (type) {
    case PYC_RING_LABELS:
    case PYC_RING_THREAD_START:
    case PYC_RING_THREAD_END:
    case PYC_RING_STANDS:
    case PYC_RING_RERAISE:
      return 0;
    case PYC_RING_GC:
    case PYC_RING_IMPORT:
    case PYC_RING_HEAP:
    case PYC_RING_FUNCTION:
      return 2;
    default:
      return 1;
  }
}

// How much memory a ring of `slots`, a power of two, needs.
static inline uint64_t pyc_ring_bytes(uint32_t slots) { return PYC_RING_SLOTS_AT + (uint64_t)slots * 16; }

// Makes a ring of memory that is all zeros, before its writer is told of it.
static inline void pyc_ring_make(struct pyc_ring* ring, uint32_t slots, uint32_t on_full) {
  ring->magic = PYC_RING_MAGIC;
  ring->version = PYC_RING_VERSION;
  ring->slots = slots;
  ring->on_full = on_full;
}

// What the writing side asks its surroundings for.
struct pyc_ring_means {
  void (*pause_50us)(void);
  void (*wake)(void);  // whoever reads; null: that one looks often enough
};

// The writing side: one thread.
struct pyc_ring_writer {
  struct pyc_ring* ring;
  struct pyc_ring_slot* slots;
  uint64_t head, limit;  // limit: up to where it may write without looking at the tail
  uint32_t mask;
  uint32_t drops;  // on_full, or that nobody reads any more
  const struct pyc_ring_means* means;
  uint64_t woken_for;  // the tail that the reader was woken for, plus 1
};

static inline void pyc_ring_start(struct pyc_ring_writer* writer, struct pyc_ring* ring,
                                  const struct pyc_ring_means* means) {
  writer->means = means;
  writer->woken_for = 0;
  writer->ring = ring;
  writer->slots = (struct pyc_ring_slot*)((char*)ring + PYC_RING_SLOTS_AT);
  writer->head = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
  writer->limit = writer->head;
  writer->mask = ring->slots - 1;
  writer->drops = ring->on_full != PYC_RING_BLOCK;
}

// Looks how much room there is and wakes the reader when a quarter of it is taken; waits for room as the ring says.
static inline int pyc_ring_wait(struct pyc_ring_writer* writer, uint32_t count) {
  struct pyc_ring* ring = writer->ring;
  uint64_t seen = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
  for (uint32_t waits = 0;; ++waits) {
    uint64_t tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
    uint64_t end = tail + ring->slots, next_look = writer->head + count + ring->slots / 8;
    if (writer->means->wake && writer->head - tail >= ring->slots / 4 && writer->woken_for != tail + 1) {
      writer->woken_for = tail + 1;
      writer->means->wake();
    }
    writer->limit = end < next_look ? end : next_look;
    if (writer->head + count <= writer->limit) return 1;
    if (writer->drops || count > ring->slots) return 0;
    if (tail != seen) waits = 0;
    seen = tail;
    if (__atomic_load_n(&ring->reader_closed, __ATOMIC_RELAXED) || waits >= 40000) {
      writer->drops = 1;
      return 0;
    }
    writer->means->pause_50us();
  }
}

// Writes an event of `1 + more` slots, `more` = pyc_ring_more(type). Returns 0 when it was dropped, and counted.
static inline int pyc_ring_write(struct pyc_ring_writer* writer, uint32_t type, uint64_t time, uint32_t id,
                                 uint32_t extra, const struct pyc_ring_slot* more_slots, uint32_t more) {
  if (writer->head + 1 + more > writer->limit && !pyc_ring_wait(writer, 1 + more)) {
    __atomic_store_n(&writer->ring->lost, writer->ring->lost + 1, __ATOMIC_RELAXED);
    return 0;
  }
  struct pyc_ring_slot* slot = &writer->slots[writer->head & writer->mask];
  __asm__ volatile("prefetchw %0" : : "m"(writer->slots[(writer->head + PYC_RING_AHEAD) & writer->mask]));
  slot->first = time << 8 | type;
  slot->second = (uint64_t)extra << 32 | id;
  for (uint32_t i = 0; i < more; ++i) writer->slots[(writer->head + 1 + i) & writer->mask] = more_slots[i];
  writer->head += 1 + more;
  __atomic_store_n(&writer->ring->head, writer->head, __ATOMIC_RELEASE);
  return 1;
}

static inline void pyc_ring_close(struct pyc_ring_writer* writer) {
  __atomic_store_n(&writer->ring->writer_closed, 1, __ATOMIC_RELEASE);
}

#ifdef __cplusplus
}
static_assert(sizeof(pyc_ring) == 192 && sizeof(pyc_ring_slot) == 16);
#endif

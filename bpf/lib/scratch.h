// Settings, counters and working memory of a program, as global variables (reached without a helper call) where one
// instance is enough, per CPU where it is not.
//
// What the verifier has to be told, to be quick: whatever changes from one step of a loop to the next lives in the
// scratch, whose content it does not follow; larger pieces are global functions, which it verifies once instead of once
// per call; every offset that comes from the settings is masked where it is used (user space has checked that the mask
// changes nothing: daemon/collect/sampler.cc).
#pragma once

#include "bpf/include/code_identity.h"
#include "bpf/include/records.h"
#include "bpf/lib/kernel.h"

#define PYC_THREAD_BYTES 256
#define PYC_FRAME_BYTES 128
#define PYC_PAGE 4096
#define PYC_CODE_BYTES 256
#define PYC_OBJECT_BYTES 64
#define PYC_MEMOS 16
#define PYC_NAME_WORDS 128  // a power of two, more than a task's name has

struct pyc_settings pyc_settings;
struct pyc_counters pyc_counters;

// Something already computed for an address in the sample at hand: the target stands still meanwhile.
struct pyc_memo {
  pyc_u64 address;
  pyc_u64 sequence;
  pyc_u64 value;
  pyc_u32 size;  // of a code object's bytecode, bytes
  pyc_u32 reserved;
};

struct pyc_walk {
  pyc_u64 frame;     // next one, 0: at the root
  pyc_u64 callee;    // the one before
  pyc_u64 expected;  // a frame that the chain has to reach, 0 once it has
  pyc_u32 count;
  pyc_u32 flags;
};

struct pyc_thread_search {
  pyc_u64 id;
  pyc_u64 interpreter;  // next one
  pyc_u64 thread;
  pyc_u32 found;
};

struct pyc_dict_search {
  pyc_u64 key;      // address
  pyc_u64 value;    // address, 0: not there
  pyc_u64 entries;  // address
  pyc_u32 entry_size;
  pyc_u32 count;
};

struct pyc_scratch {
  struct pyc_process process;  // of the sample at hand; a copy, which the program reaches without a pointer of its own
  pyc_u64 sequence;            // of the sample at hand on this CPU
  pyc_u64 gil;                 // of the sample at hand: address of the GIL's state, 0: not looked at
  pyc_u32 error;               // of the sample at hand: enum pyc_error
  pyc_u32 captured;            // bytes of `bytes` in use
  struct pyc_thread_search search;
  struct pyc_walk walk;
  struct pyc_dict_search dict;
  struct pyc_memo codes[PYC_MEMOS];
  struct pyc_memo texts[PYC_MEMOS];
  unsigned char thread[PYC_THREAD_BYTES];
  pyc_u64 window_begin;  // address of what `window` holds
  pyc_u64 window_size;
  unsigned char window[PYC_PAGE + 2 * PYC_FRAME_BYTES];
  unsigned char code[PYC_CODE_BYTES + 8 * PYC_IDENTITY_WORDS];  // zero from code_identity_end on
  pyc_u64 identity;                                             // of `code`
  pyc_u64 bytecode_size;                                        // of `code`, bytes
  unsigned char object[PYC_OBJECT_BYTES];
  struct pyc_text text;
  struct pyc_sample sample;
  struct pyc_frame frames[PYC_MAX_FRAMES];
  struct pyc_task_record task;
  pyc_u64 name[PYC_NAME_WORDS];  // of `task`, right behind it
  struct pyc_code_record record;
  unsigned char bytes[PYC_CODE_CAPTURE + 2 * PYC_TEXT_CAPTURE + PYC_LINETABLE_CAPTURE];
};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct pyc_scratch);
} pyc_scratches SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4 << 20);
} pyc_ring SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 8192);
  __type(key, __u32);
  __type(value, struct pyc_process);
} pyc_processes SEC(".maps");

static inline struct pyc_scratch* pyc_get_scratch(void) {
  pyc_u32 zero = 0;
  return bpf_map_lookup_elem(&pyc_scratches, &zero);
}

// Whether the process is followed; it is then in scratch->process.
static inline int pyc_enter(struct pyc_scratch* scratch, pyc_u32 tgid) {
  const struct pyc_process* process = bpf_map_lookup_elem(&pyc_processes, &tgid);
  if (!process) return 0;
  if (scratch->process.generation == process->generation) return 1;
  scratch->process = *process;
  // Another layout's code objects may have been longer.
  __builtin_memset(scratch->code, 0, sizeof scratch->code);
  return 1;
}

static inline long pyc_read(void* to, pyc_u32 size, pyc_u64 address) {
  return bpf_probe_read_user(to, size, (void*)address);
}

static inline pyc_u64 pyc_read_u64(pyc_u64 address, long* failed) {
  pyc_u64 value = 0;
  *failed |= pyc_read(&value, sizeof value, address);
  return value;
}

static inline pyc_u32 pyc_u32_at(const unsigned char* bytes, pyc_u32 offset) {
  return *(const pyc_u32*)(bytes + offset);
}

static inline pyc_u64 pyc_u64_at(const unsigned char* bytes, pyc_u32 offset) {
  return *(const pyc_u64*)(bytes + offset);
}

static inline void pyc_count(pyc_u64* counter) { __sync_fetch_and_add(counter, 1); }

static inline struct pyc_memo* pyc_memo_of(struct pyc_memo* memos, pyc_u64 address) {
  return &memos[((address ^ (address >> 8)) >> 4) & (PYC_MEMOS - 1)];
}

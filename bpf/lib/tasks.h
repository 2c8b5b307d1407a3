// The asyncio task that the running thread executes: what asyncio.current_task() would be there, and its name.
#pragma once

#include "bpf/lib/code.h"

// Of a dict only the first entries are looked at: those of threads have one for each threading.local, that of the loops
// one for each thread that executes a task.
#define PYC_MAX_ENTRIES 160
#define PYC_MAX_BASES 4
#define PYC_TYPE_IS_INT (1ull << 24)  // Py_TPFLAGS_LONG_SUBCLASS
#define PYC_TYPE_IS_STR (1ull << 28)  // Py_TPFLAGS_UNICODE_SUBCLASS

// PyObject and its subclasses begin with what is as long as this.
static inline pyc_u32 pyc_header_size(const struct pyc_layout* layout) { return layout->object_type + 8; }

// What stands in front of the entries of the keys at `keys`, to scratch->dict. Fails when it cannot be read.
static inline long pyc_read_keys(struct pyc_scratch* scratch, pyc_u64 keys) {
  const struct pyc_layout* layout = &scratch->process.layout;
  struct pyc_dict_search* dict = &scratch->dict;
  if (pyc_read(scratch->object, layout->keys_indices & 0x38, keys)) return -1;
  pyc_u64 index_bytes = 0;
  dict->entry_size = 24;
  if (layout->keys_size != PYC_NO_OFFSET) {
    pyc_u64 size = pyc_u64_at(scratch->object, layout->keys_size & 0x38);
    index_bytes = size <= 0xff ? size : size <= 0xffff ? 2 * size : 4 * size;
  } else {
    index_bytes = 1ull << (scratch->object[layout->keys_log2_index_bytes & 0x3f] & 0x3f);
    if (scratch->object[layout->keys_kind & 0x3f]) dict->entry_size = 16;
  }
  pyc_u64 count = pyc_u64_at(scratch->object, layout->keys_entries & 0x38);
  dict->count = count < PYC_MAX_ENTRIES ? count : PYC_MAX_ENTRIES;
  dict->entries = keys + layout->keys_indices + index_bytes;
  return 0;
}

static long pyc_find_step(pyc_u32 i, struct pyc_scratch** context) {
  struct pyc_scratch* scratch = *context;
  struct pyc_dict_search* dict = &scratch->dict;
  if (i >= dict->count) return 1;
  // Key and value are the last words of an entry.
  pyc_u32 at = i * dict->entry_size + dict->entry_size - 16;
  if (pyc_u64_at(scratch->window, at & 0xff8) != dict->key) return 0;
  dict->value = pyc_u64_at(scratch->window, (at + 8) & 0xff8);
  return 1;
}

// What the dict at `dict` has under the very key at `key`, to scratch->dict.value; 0: nothing.
__noinline int pyc_find_value(pyc_u64 dict, pyc_u64 key) {
  struct pyc_scratch* scratch = pyc_get_scratch();
  if (!scratch) return 0;
  scratch->dict.key = key;
  scratch->dict.value = 0;
  long failed = 0;
  pyc_u64 keys = pyc_read_u64(dict + scratch->process.layout.dict_keys, &failed);
  if (failed || !key || pyc_read_keys(scratch, keys)) return 0;
  pyc_u32 size = scratch->dict.count * scratch->dict.entry_size;
  if (size > PYC_PAGE || pyc_read(scratch->window, size, scratch->dict.entries)) return 0;
  bpf_loop(PYC_MAX_ENTRIES, pyc_find_step, &scratch, 0);
  return 0;
}

// The task of the thread whose state is in scratch->search; 0: it executes none.
static inline pyc_u64 pyc_current_task(struct pyc_scratch* scratch) {
  const struct pyc_layout* layout = &scratch->process.layout;
  const struct pyc_tasks* tasks = &scratch->process.tasks;
  pyc_u32 kind = layout->task_kind;
  long failed = 0;
  // Mostly no loop at all executes a task: the dict's ma_used is 0.
  if (kind != PYC_TASK_OF_THREAD && !pyc_read_u64(tasks->by_loop + pyc_header_size(layout), &failed)) return 0;
  pyc_u64 found = pyc_read_u64(scratch->search.thread + tasks->thread_tasks, &failed);
  if (failed || !found || kind == PYC_TASK_OF_THREAD) return found;
  if (kind != PYC_TASK_BY_THREAD_LOOP) {
    pyc_find_value(found, tasks->loop_key);
    found = scratch->dict.value;
  }
  if (kind == PYC_TASK_BY_HELD_LOOP && found) found = pyc_read_u64(found + pyc_header_size(layout), &failed);
  if (failed || !found) return 0;
  pyc_find_value(tasks->by_loop, found);
  return scratch->dict.value;
}

// Whether the object at `task` is an _asyncio.Task or of a class derived from it: others have no name where it has.
static inline int pyc_is_task(struct pyc_scratch* scratch, pyc_u64 task) {
  const struct pyc_layout* layout = &scratch->process.layout;
  long failed = 0;
  pyc_u64 type = pyc_read_u64(task + layout->object_type, &failed);
  for (int i = 0; i < PYC_MAX_BASES && type; ++i) {
    if (type == scratch->process.tasks.type) return 1;
    type = pyc_read_u64(type + layout->type_base, &failed);
  }
  return 0;
}

// scratch->task.name of a task that is called by the int at `object`.
static inline long pyc_read_task_number(struct pyc_scratch* scratch, pyc_u64 object) {
  const struct pyc_layout* layout = &scratch->process.layout;
  struct pyc_task_name* name = &scratch->task.name;
  pyc_u32 digits[2] = {};
  long failed = 0;
  pyc_u64 tag = pyc_read_u64(object + layout->long_tag, &failed);
  pyc_u64 count = layout->long_tagged ? tag >> 3 : tag;
  if (failed || count > 2 || pyc_read(digits, count * sizeof *digits, object + layout->long_digits)) return -1;
  name->number = digits[0] | (pyc_u64)digits[1] << 30;
  return 0;
}

// scratch->task.name and scratch->name of a task that is called by the str at `object`.
static inline long pyc_read_task_text(struct pyc_scratch* scratch, pyc_u64 object) {
  const struct pyc_layout* layout = &scratch->process.layout;
  struct pyc_task_name* name = &scratch->task.name;
  if (pyc_read_head(scratch, object)) return -1;
  pyc_u32 form = pyc_unicode_form(scratch);
  pyc_u32 kind = pyc_unicode_kind(form);
  if (!pyc_unicode_compact(form) || (kind != 1 && kind != 2 && kind != 4)) return -1;
  pyc_u64 length = pyc_u64_at(scratch->object, layout->unicode_length & 0x38);
  name->unit_bytes = kind;
  name->length = length <= PYC_TASK_NAME_LENGTH ? length : PYC_TASK_NAME_LENGTH + 1;
  pyc_u32 size = pyc_task_name_size(name);
  if (size > PYC_TASK_NAME_BYTES) return -1;
  scratch->name[(size / 8) & (PYC_NAME_WORDS - 1)] = 0;
  return pyc_read(scratch->name, size,
                  object + (pyc_unicode_ascii(form) ? layout->unicode_ascii_data : layout->unicode_compact_data));
}

// scratch->task.name of the task at `task`.
static inline long pyc_read_task_name(struct pyc_scratch* scratch, pyc_u64 task) {
  const struct pyc_layout* layout = &scratch->process.layout;
  scratch->task.name = (struct pyc_task_name){};
  long failed = 0;
  pyc_u64 object = pyc_read_u64(task + scratch->process.tasks.task_name, &failed);
  pyc_u64 type = pyc_read_u64(object + layout->object_type, &failed);
  pyc_u64 flags = pyc_read_u64(type + layout->type_flags, &failed);
  if (failed) return -1;
  if (flags & PYC_TYPE_IS_STR) return pyc_read_task_text(scratch, object);
  return flags & PYC_TYPE_IS_INT ? pyc_read_task_number(scratch, object) : -1;
}

static inline void pyc_write_task(struct pyc_scratch* scratch) {
  scratch->task.type = PYC_RECORD_TASK;
  scratch->task.tgid = scratch->sample.tgid;
  pyc_u32 size = pyc_task_name_size(&scratch->task.name);
  if (size > PYC_TASK_NAME_BYTES) return;
  if (bpf_ringbuf_output(&pyc_ring, &scratch->task, sizeof scratch->task + size, BPF_RB_NO_WAKEUP)) return;
  pyc_remember(scratch, scratch->task.identity);
}

// Completes scratch->sample.task.
__noinline int pyc_find_task(void) {
  struct pyc_scratch* scratch = pyc_get_scratch();
  if (!scratch) return 0;
  pyc_u64 task = pyc_current_task(scratch);
  if (!task || !pyc_is_task(scratch, task) || pyc_read_task_name(scratch, task)) return 0;
  pyc_u64 identity = pyc_mix_task_name(&scratch->task.name, scratch->name);
  scratch->task.identity = identity;
  scratch->sample.task = identity;
  if (!pyc_is_seen(scratch, identity)) pyc_write_task(scratch);
  return 0;
}

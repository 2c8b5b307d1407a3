// The identity of an asyncio task's name: 64 bits over the name itself, whatever object has it. Tasks that are called
// the same are one, and neither a task nor a name that takes the place of a freed one is taken for it. Pure functions,
// shared by the kernel and user space.
#pragma once

#include "bpf/include/code_identity.h"

#ifdef __cplusplus
namespace pycroscope {
#endif

#define PYC_TASK_NAME_LENGTH 200                        // code points that count; what is longer is cut
#define PYC_TASK_NAME_BYTES (4 * PYC_TASK_NAME_LENGTH)  // of the widest form, a multiple of 8

struct pyc_task_name {
  pyc_u64 number;      // of a task without a name of its own, which is called "Task-NUMBER"
  pyc_u32 unit_bytes;  // of a code point: 1, 2 or 4; 0: it has no name of its own
  pyc_u32 length;      // code points, at most PYC_TASK_NAME_LENGTH + 1, which is: longer
};

static inline pyc_u32 pyc_task_name_size(const struct pyc_task_name* name) {
  pyc_u32 length = name->length < PYC_TASK_NAME_LENGTH ? name->length : PYC_TASK_NAME_LENGTH;
  return length * name->unit_bytes;
}

// `text`: the code points, in PYC_TASK_NAME_BYTES of which the last word that is in use is padded with zeroes. Never 0.
static inline pyc_u64 pyc_mix_task_name(const struct pyc_task_name* name, const pyc_u64* text) {
  pyc_u32 size = pyc_task_name_size(name);
  pyc_u64 length = name->length;
  pyc_u64 h = pyc_mix(pyc_mix(3, name->number), (length << 8) | name->unit_bytes);
  for (pyc_u32 i = 0; i < PYC_TASK_NAME_BYTES / 8 && i * 8 < size; ++i) h = pyc_mix(h, text[i]);
  return h ? h : 1;
}

#ifdef __cplusplus
}  // namespace pycroscope
#endif

// What BPF programs write to the ring buffer, and the settings they read. Plain structs shared with user space.
#pragma once

#include "bpf/include/python_layout.h"

#ifdef __cplusplus
namespace pycroscope {
#endif

#define PYC_MAX_FRAMES 512
#define PYC_TEXT_CAPTURE 512        // bytes of a str object that are captured, header included
#define PYC_CODE_CAPTURE 256        // bytes of a code object that are captured
#define PYC_LINETABLE_CAPTURE 4096  // bytes of a line table object that are captured, header included

enum pyc_record_type {
  PYC_RECORD_SAMPLE = 1,
  PYC_RECORD_CODE = 2,
};

// One frame of a sample. `identity` names a code object by its content (bpf/include/code_identity.h); a
// PYC_RECORD_CODE with the same identity comes earlier in the ring unless the ring had no room for it.
struct pyc_frame {
  pyc_u64 identity;
  pyc_s32 offset;  // bytecode offset in bytes, negative before the first instruction
  pyc_u32 reserved;
};

#define PYC_SAMPLE_TRUNCATED 1u  // the root-most frames are missing
#define PYC_SAMPLE_NO_PYTHON 2u  // the thread runs no Python frame; user_ip says where it is

// One tick whose stack could be read to its root or to PYC_MAX_FRAMES. Followed by frame_count frames, leaf first.
struct pyc_sample {
  pyc_u32 type;  // PYC_RECORD_SAMPLE
  pyc_u32 flags;
  pyc_u64 time_ns;    // CLOCK_MONOTONIC
  pyc_u64 user_ip;    // 0 unless PYC_SAMPLE_NO_PYTHON
  pyc_u64 thread_id;  // pthread_self()
  pyc_u32 tid;        // in the root pid namespace
  pyc_u32 frame_count;
};

// What is needed to name a code object, as it was at the moment of the sample: raw objects, decoded in user space by
// the same code that decodes live memory. Each part is captured up to its limit above; a part whose `captured` is
// smaller than its object is completed from live memory if the identity still matches.
struct pyc_code_part {
  pyc_u64 address;
  pyc_u32 captured;  // bytes; 0: could not be read
  pyc_u32 reserved;
};

enum pyc_code_parts { PYC_PART_CODE, PYC_PART_QUALNAME, PYC_PART_FILENAME, PYC_PART_LINETABLE, PYC_PART_COUNT };

// Followed by the captured bytes of the parts in order, without gaps.
struct pyc_code_record {
  pyc_u32 type;  // PYC_RECORD_CODE
  pyc_u32 reserved;
  pyc_u64 identity;
  struct pyc_code_part parts[PYC_PART_COUNT];
};

// Why a stack could not be read: ids here, sentences in daemon/collect/kernel_errors.cc.
enum pyc_error {
  PYC_OK = 0,
  PYC_ERROR_THREAD_LIST,  // the list of thread states could not be read
  PYC_ERROR_FRAME_READ,   // a frame could not be read
  PYC_ERROR_CODE_READ,    // a code object could not be read
  PYC_ERROR_NAME_READ,    // a code object's names or line table could not be read
  PYC_ERROR_BAD_FRAME,    // a frame does not look like one, or the frames do not fit together
  PYC_ERROR_BAD_CODE,     // the frame's code object is not a code object
  PYC_ERROR_CYCLE,        // the chain of frames does not end
  PYC_ERROR_COUNT,
};

// ticks = samples written + ring_full + the sum of errors.
struct pyc_counters {
  pyc_u64 ticks;
  pyc_u64 ring_full;
  pyc_u64 code_records;
  pyc_u64 errors[PYC_ERROR_COUNT];  // by enum pyc_error
};

struct pyc_settings {
  pyc_u64 runtime;      // address of _PyRuntime in the target
  pyc_u64 code_type;    // address of PyCode_Type in the target, 0: unknown
  pyc_u64 ring_wakeup;  // bytes waiting in the ring from which on user space is woken
  struct pyc_layout layout;
};

#ifdef __cplusplus
}  // namespace pycroscope
#endif

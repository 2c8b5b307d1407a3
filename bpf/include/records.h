// What BPF programs write to the ring buffer, and the settings they read. Plain structs shared with user space.
#pragma once

#include "bpf/include/python_layout.h"
#include "bpf/include/task_identity.h"

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
  PYC_RECORD_LIFECYCLE = 3,
  PYC_RECORD_TASK = 4,
};

// One frame of a sample. `identity` names a code object of the process by its content (bpf/include/code_identity.h); a
// PYC_RECORD_CODE with the same process and identity comes earlier in the ring unless the ring had no room for it.
struct pyc_frame {
  pyc_u64 identity;
  pyc_s32 offset;  // bytecode offset in bytes, negative before the first instruction
  pyc_u32 reserved;
};

#define PYC_SAMPLE_TRUNCATED 1u  // the root-most frames are missing
#define PYC_SAMPLE_NO_PYTHON 2u  // the thread runs no Python frame; user_ip says where it is
#define PYC_SAMPLE_HOLDS_GIL 4u  // known where the settings ask for it
#define PYC_SAMPLE_WAITED 8u     // not a tick: a wait that ended at time_ns
#define PYC_SAMPLE_RUNNABLE 16u  // of a wait: for a CPU only
#define PYC_SAMPLE_WAITS_FOR_GIL 32u

#define PYC_NO_SYSCALL 0xffffffffu
#define PYC_SYSCALL_FUTEX 202u

// One tick whose stack could be read to its root or to PYC_MAX_FRAMES, or a wait with the stack from which it began.
// Followed by frame_count frames, leaf first.
struct pyc_sample {
  pyc_u32 type;  // PYC_RECORD_SAMPLE
  pyc_u32 flags;
  pyc_u64 time_ns;        // CLOCK_MONOTONIC
  pyc_u64 wait_begin_ns;  // of a wait
  pyc_u64 user_ip;        // 0 unless PYC_SAMPLE_NO_PYTHON
  pyc_u64 thread_id;      // pthread_self()
  pyc_u32 tgid;           // as tid, see pyc_settings.pid_namespace
  pyc_u32 tid;
  pyc_u32 frame_count;
  pyc_u32 wait_syscall;   // the number of the system call that waits, PYC_NO_SYSCALL: none
  pyc_u64 wait_argument;  // its first argument
  pyc_u64 task;           // names the asyncio task that the thread executes, 0: none
  pyc_u32 stride;         // how many ticks it stands for; of a wait's ticks so many count as one
  pyc_u32 reserved;
};

// What a thread does that is followed by its waits: the record that its next return to a CPU will complete.
struct pyc_wait {
  pyc_u32 error;  // of the walk: enum pyc_error
  pyc_u32 reserved;
  // The record, ready to be written. wait_begin_ns 0: it is on a CPU; time_ns: not set before the wait has ended.
  struct pyc_sample sample;
  struct pyc_frame frames[PYC_MAX_FRAMES];
};

enum pyc_lifecycle_event {
  PYC_LIFECYCLE_FORK = 1,  // `tgid` is a new child of `parent`, followed from now on
  PYC_LIFECYCLE_EXEC = 2,  // `tgid` runs another program from now on
};

struct pyc_lifecycle {
  pyc_u32 type;  // PYC_RECORD_LIFECYCLE
  pyc_u32 event;
  pyc_u64 time_ns;
  pyc_u32 tgid;
  pyc_u32 parent;
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
  pyc_u32 tgid;
  pyc_u64 identity;
  struct pyc_code_part parts[PYC_PART_COUNT];
};

// What the asyncio task with this identity (bpf/include/task_identity.h) is called, as it was at the moment of the
// sample. Comes before the first sample that needs it, unless the ring had no room for it. Followed by the name, cut at
// PYC_TASK_NAME_LENGTH.
struct pyc_task_record {
  pyc_u32 type;  // PYC_RECORD_TASK
  pyc_u32 tgid;
  pyc_u64 identity;
  struct pyc_task_name name;
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

// ticks = those of the samples written (a wait stands for as many as it covers) + ring_full + the sum of errors +
// skipped.
struct pyc_counters {
  pyc_u64 ticks;
  pyc_u64 skipped;  // on purpose, see pyc_settings.stride; but for those within a wait that is written
  pyc_u64 ring_full;
  pyc_u64 late;  // ticks that never came, as far as the kernel side can tell: on a CPU that is watched as a whole
  pyc_u64 code_records;
  pyc_u64 errors[PYC_ERROR_COUNT];  // by enum pyc_error
};

// A process that is followed, by its tgid: see pyc_settings.pid_namespace.
struct pyc_process {
  pyc_u64 generation;  // no two contents have the same
  pyc_u64 salt;        // tells its code objects from those of other processes
  pyc_u64 runtime;     // address of _PyRuntime in the target, 0: not known (yet), or no Python
  pyc_u64 code_type;   // address of PyCode_Type in the target, 0: unknown
  struct pyc_layout layout;
  struct pyc_tasks tasks;
};

struct pyc_settings {
  pyc_u64 ring_wakeup;      // bytes waiting in the ring from which on user space is woken
  pyc_u32 follow_children;  // not 0: children of followed processes are followed as well
  pyc_u32 read_gil;         // not 0: samples say who holds the GIL
  pyc_u32 stride;           // of so many ticks only one is recorded, at least 1
  pyc_u32 pid_namespace;    // inode of the one that ids of processes and threads are of, 0: the root one
  pyc_u64 tick_period_ns;
  pyc_u64 tick_origin_ns;  // of the grid of ticks that waits are counted by, CLOCK_MONOTONIC; 0: no tick yet
};

// Ticks of the grid in (begin, end], of `stride` only one; none when it ends before it begins. As TickGrid::between().
static inline pyc_u64 pyc_ticks_between(const struct pyc_settings* settings, pyc_u64 begin, pyc_u64 end,
                                        pyc_u32 stride) {
  pyc_u64 origin = settings->tick_origin_ns, period = settings->tick_period_ns * stride;
  if (!origin || !period || end < origin || end <= begin) return 0;
  if (begin < origin) return (end - origin) / period + 1;
  return (end - origin) / period - (begin - origin) / period;
}

#ifdef __cplusplus
}  // namespace pycroscope
#endif

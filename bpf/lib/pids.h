// Ids of processes and threads as user space knows them: those of its own pid namespace.
#pragma once

#include "bpf/lib/scratch.h"

#define PYC_MAX_PID_LEVELS 32  // MAX_PID_NS_LEVEL of the kernel

// The verifier keeps pointers apart from numbers, and functions of their own take numbers only.
static inline pyc_u64 pyc_pointer_at(const void* field) {
  pyc_u64 pointer = 0;
  bpf_probe_read_kernel(&pointer, sizeof pointer, field);
  return pointer;
}

// 0: it has none there, or has ended.
__noinline int pyc_id_in_namespace(pyc_u64 pid_address) {
  struct pid* pid = (struct pid*)pid_address;
  pyc_u32 level = 0;
  if (!pid || bpf_probe_read_kernel(&level, sizeof level, &pid->level)) return 0;
  for (pyc_u32 i = 0; i < PYC_MAX_PID_LEVELS && i <= level; ++i) {
    struct upid id = {};
    pyc_u32 inode = 0;
    if (bpf_probe_read_kernel(&id, sizeof id, (struct upid*)pid->numbers + i)) return 0;
    if (bpf_probe_read_kernel(&inode, sizeof inode, &id.ns->ns.inum)) return 0;
    if (inode == pyc_settings.pid_namespace) return id.nr;
  }
  return 0;
}

static inline pyc_u32 pyc_tid_of(struct task_struct* task) {
  if (!pyc_settings.pid_namespace) return task->pid;
  return pyc_id_in_namespace(pyc_pointer_at(&task->thread_pid));
}

static inline pyc_u32 pyc_tgid_of(struct task_struct* task) {
  if (!pyc_settings.pid_namespace) return task->tgid;
  return pyc_id_in_namespace(pyc_pointer_at(&task->group_leader->thread_pid));
}

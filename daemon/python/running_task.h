// The asyncio task that a thread executes, and what it is called, by reads from outside: as bpf/lib/tasks.h has it.
#pragma once

#include <optional>
#include <vector>

#include "bpf/include/python_layout.h"
#include "bpf/include/task_identity.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

// The task of the thread whose state is at `tstate`; null: it executes none, or not one of _asyncio's.
RemoteAddress running_task(const TargetMemory& memory, const pyc_layout& layout, const pyc_tasks& tasks,
                           RemoteAddress tstate);

struct TaskName {
  pyc_task_name form{};
  std::vector<uint64_t> text;  // as pyc_mix_task_name() needs it

  uint64_t identity() const { return pyc_mix_task_name(&form, text.data()); }
};

// Nothing: it cannot be read, or is no name. The cut is made where `form` says.
std::optional<TaskName> task_name(const TargetMemory& memory, const pyc_layout& layout, const pyc_tasks& tasks,
                                  RemoteAddress task);

}  // namespace pycroscope

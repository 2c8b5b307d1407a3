#include "daemon/python/gil.h"

#include <algorithm>

#include "bpf/include/musl.h"

namespace pycroscope {
namespace {

constexpr size_t kMaxWaiters = 1 << 12;

// Of a GIL that is changing, those that could be read.
void read_stack_futexes(const TargetMemory& memory, GilState& gil) {
  for (const uint64_t condition : {PYC_GIL_COND_FROM_END, PYC_GIL_SWITCH_COND_FROM_END}) {
    auto waiter = memory.read_pointer(gil.begin + gil.size - condition + PYC_MUSL_COND_HEAD);
    for (size_t i = 0; i < kMaxWaiters && waiter && waiter->address() >= PYC_MUSL_LOWEST_STACK; ++i) {
      gil.stack_futexes.push_back(*waiter + PYC_MUSL_WAITER_BARRIER);
      waiter = memory.read_pointer(*waiter + PYC_MUSL_WAITER_NEXT);
    }
  }
}

}  // namespace

bool GilState::is_awaited_at(RemoteAddress address) const {
  return (address >= begin && address < begin + size) ||
         std::ranges::find(stack_futexes, address) != stack_futexes.end();
}

Result<GilState> read_gil_of(const TargetMemory& memory, const PythonRuntime& python, RemoteAddress tstate) {
  const pyc_layout& layout = python.layout;
  GilState gil;
  gil.size = layout.gil_size;
  if (layout.gil_in_runtime != 0) {
    gil.begin = python.runtime + layout.gil;
  } else {
    PYC_TRY(const auto interpreter, memory.read_pointer(tstate + layout.thread_interp));
    PYC_TRY(gil.begin, memory.read_pointer(interpreter + layout.gil));
  }
  if (layout.gil_enabled != PYC_NO_OFFSET) {
    PYC_TRY(const auto enabled, memory.read<int32_t>(gil.begin + layout.gil_enabled));
    if (enabled == 0) return GilState();
  }
  PYC_TRY(const auto locked, memory.read<int32_t>(gil.begin + layout.gil_locked));
  // Its last holder stays named when it has let go; -1: not in use yet.
  if (locked == 1) {
    PYC_TRY(gil.holder, memory.read_pointer(gil.begin + layout.gil_last_holder));
  }
  read_stack_futexes(memory, gil);
  return gil;
}

}  // namespace pycroscope

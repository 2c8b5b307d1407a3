#include "daemon/python/gil.h"

namespace pycroscope {

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
  return gil;
}

}  // namespace pycroscope

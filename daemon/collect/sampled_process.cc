#include "daemon/collect/sampled_process.h"

#include <utility>

namespace pycroscope {

SampledProcess::Python::Python(const TargetMemory& memory, PythonRuntime found)
    : runtime(std::move(found)), codes(memory, runtime.layout), stacks(codes), names(memory, runtime) {}

SampledProcess::SampledProcess(std::shared_ptr<const Process> process, ProcessId id)
    : process_(std::move(process)), id_(id), memory_(process_->pid()), threads_(*process_, id), places_(*process_) {}

void SampledProcess::set_python(PythonRuntime runtime) {
  python_ = std::make_unique<Python>(memory_, std::move(runtime));
  threads_.set_names(&python_->names);
}

void SampledProcess::add_code(std::span<const std::byte> record, Symbols& symbols) {
  if (!python_) return;
  const auto file = python_->codes.add(record, symbols);
  if (file) python_->task_search.note_code(symbols.string(symbols.file(*file).path));
}

bool SampledProcess::look_for_tasks(int64_t now_ns) {
  if (!python_ || python_->runtime.tasks.type != 0) return false;
  const auto found = python_->task_search.look(*process_, memory_, python_->runtime, now_ns);
  if (found) python_->runtime.tasks = *found;
  return found.has_value();
}

std::optional<StackId> SampledProcess::stack(const pyc_sample& sample, std::span<const pyc_frame> frames,
                                             int64_t now_ns, Symbols& symbols) {
  if ((sample.flags & PYC_SAMPLE_NO_PYTHON) != 0) return places_.intern(sample.user_ip, now_ns, symbols);
  return python_ ? python_->stacks.intern(frames, symbols) : std::nullopt;
}

ThreadId SampledProcess::thread(const pyc_sample& sample, Symbols& symbols) {
  return threads_.intern(static_cast<pid_t>(sample.tid), sample.thread_id, symbols);
}

}  // namespace pycroscope

#include "daemon/collect/task_capture.h"

#include <cstring>

#include "daemon/python/running_task.h"

namespace pycroscope {

std::vector<std::byte> capture_task(const TargetMemory& memory, const PythonRuntime& python, pid_t tgid,
                                    RemoteAddress tstate) {
  if (python.tasks.type == 0) return {};
  const RemoteAddress task = running_task(memory, python.layout, python.tasks, tstate);
  const auto name = task ? task_name(memory, python.layout, python.tasks, task) : std::nullopt;
  if (!name) return {};
  const pyc_task_record head{
      .type = PYC_RECORD_TASK, .tgid = static_cast<uint32_t>(tgid), .identity = name->identity(), .name = name->form};
  const size_t size = pyc_task_name_size(&name->form);
  std::vector<std::byte> record(sizeof head + size);
  std::memcpy(record.data(), &head, sizeof head);
  if (size != 0) std::memcpy(record.data() + sizeof head, name->text.data(), size);
  return record;
}

}  // namespace pycroscope

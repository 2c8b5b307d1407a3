#include "daemon/python/asyncio_offsets.h"

#include <string>

#include "daemon/target/elf_file.h"
#include "daemon/target/elf_image.h"

namespace pycroscope {
namespace {

constexpr std::string_view kSection = ".AsyncioDebug";

// Py_AsyncioModuleDebugOffsets, v3.14.0 and v3.15.0 Modules/_asynciomodule.c.
struct DebugOffsets {
  struct {
    uint64_t size, task_name, task_awaited_by, task_is_task, task_awaited_by_is_set, task_coro, task_node;
  } task;
  struct {
    uint64_t size, tasks_head;
  } interpreter;
  struct {
    uint64_t size, running_loop, running_task, tasks_head;
  } thread;
};

bool is_inside(uint64_t offset, uint64_t size, uint64_t largest) {
  return size <= largest && offset % 8 == 0 && offset < size && size - offset >= 8;
}

// A shared object, or built into the interpreter.
bool may_be_asyncio(const Module& module, const PythonRuntime& python) {
  return module.file_name().starts_with("_asyncio") || module.path() == python.runtime_module;
}

// The symbol is not exported: only the file has the section's name.
Result<RemoteAddress> find_section(const TargetModules& modules, const TargetMemory& memory, const Module& module) {
  PYC_TRY(const ElfImage image, ElfImage::read(memory, module.header.begin));
  PYC_TRY(const Fd file, modules.open(module));
  PYC_TRY(const auto found, read_elf_file(file, {std::string(kSection)}));
  const auto section = found.sections.find(kSection);
  if (section == found.sections.end()) return RemoteAddress();
  const RemoteAddress address(image.bias() + section->second);
  return image.contains(address) ? address : RemoteAddress();
}

Result<AsyncioOffsets> read_offsets(const TargetMemory& memory, RemoteAddress section) {
  PYC_TRY(const auto offsets, memory.read<DebugOffsets>(section));
  const bool is_sane = is_inside(offsets.task.task_name, offsets.task.size, 4096) &&
                       is_inside(offsets.thread.running_task, offsets.thread.size, 1 << 20);
  if (!is_sane) return fail(ErrorCode::kFailed, "asyncio describes a layout that cannot be");
  return AsyncioOffsets{.thread_tasks = static_cast<uint32_t>(offsets.thread.running_task),
                        .task_name = static_cast<uint32_t>(offsets.task.task_name)};
}

}  // namespace

Result<AsyncioOffsets> asyncio_offsets(const TargetModules& modules, const TargetMemory& memory,
                                       const PythonRuntime& python) {
  const pyc_layout& layout = python.layout;
  if (layout.task_name != PYC_NO_OFFSET)
    return AsyncioOffsets{.thread_tasks = layout.thread_tasks, .task_name = layout.task_name};
  PYC_TRY(const auto list, modules.list());
  for (const Module& module : list) {
    if (!may_be_asyncio(module, python)) continue;
    const auto section = find_section(modules, memory, module);
    if (section && *section) return read_offsets(memory, *section);
  }
  return fail(ErrorCode::kNotFound, "asyncio does not describe its layout");
}

}  // namespace pycroscope

#include "daemon/python/running_task.h"

#include <algorithm>

#include "daemon/python/dict_reader.h"
#include "daemon/python/object_types.h"
#include "daemon/python/unicode.h"

namespace pycroscope {
namespace {

constexpr size_t kMaxEntries = 160;
constexpr int kMaxBases = 4;
constexpr uint64_t kIntSubclass = 1u << 24, kStrSubclass = 1u << 28;

uint64_t header_size(const pyc_layout& layout) { return layout.object_type + sizeof(uint64_t); }

Result<RemoteAddress> find_value(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress dict,
                                 RemoteAddress key) {
  PYC_TRY(const auto contents, read_dict(memory, layout, dict, kMaxEntries));
  const auto found = std::ranges::find(contents.entries, key, &DictEntry::key);
  return found == contents.entries.end() ? RemoteAddress() : found->value;
}

Result<RemoteAddress> running_loop(const TargetMemory& memory, const pyc_layout& layout, const pyc_tasks& tasks,
                                   RemoteAddress tstate) {
  PYC_TRY(RemoteAddress found, memory.read_pointer(tstate + tasks.thread_tasks));
  if (!found || layout.task_kind == PYC_TASK_BY_THREAD_LOOP) return found;
  PYC_TRY(found, find_value(memory, layout, found, RemoteAddress(tasks.loop_key)));
  if (!found || layout.task_kind == PYC_TASK_BY_DICT_LOOP) return found;
  return memory.read_pointer(found + header_size(layout));
}

Result<RemoteAddress> find_task(const TargetMemory& memory, const pyc_layout& layout, const pyc_tasks& tasks,
                                RemoteAddress tstate) {
  if (layout.task_kind == PYC_TASK_OF_THREAD) return memory.read_pointer(tstate + tasks.thread_tasks);
  const RemoteAddress by_loop(tasks.by_loop);
  // Mostly no loop at all executes a task: the dict's ma_used is 0.
  PYC_TRY(const auto used, memory.read<uint64_t>(by_loop + header_size(layout)));
  if (used == 0) return RemoteAddress();
  PYC_TRY(const RemoteAddress loop, running_loop(memory, layout, tasks, tstate));
  return loop ? find_value(memory, layout, by_loop, loop) : RemoteAddress();
}

bool is_task(const TargetMemory& memory, const pyc_layout& layout, const pyc_tasks& tasks, RemoteAddress object) {
  auto type = memory.read_pointer(object + layout.object_type);
  for (int i = 0; i < kMaxBases && type && *type; ++i) {
    if (*type == RemoteAddress(tasks.type)) return true;
    type = memory.read_pointer(*type + layout.type_base);
  }
  return false;
}

std::optional<TaskName> read_number(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress object) {
  const auto value = read_int(memory, layout, object);
  if (!value || value->negative || value->digits.size() > 2) return std::nullopt;
  TaskName name;
  for (size_t i = value->digits.size(); i-- > 0;) name.form.number = name.form.number << 30 | value->digits[i];
  return name;
}

std::optional<TaskName> read_text(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress object) {
  const auto header = read_unicode_header(memory, layout, object);
  if (!header) return std::nullopt;
  TaskName name;
  name.form.unit_bytes = header->unit_bytes;
  name.form.length = static_cast<uint32_t>(std::min<uint64_t>(header->length, PYC_TASK_NAME_LENGTH + 1));
  name.text.resize(PYC_TASK_NAME_BYTES / sizeof(uint64_t));
  const auto bytes = std::as_writable_bytes(std::span(name.text)).first(pyc_task_name_size(&name.form));
  if (!memory.read_bytes(header->data, bytes)) return std::nullopt;
  return name;
}

}  // namespace

RemoteAddress running_task(const TargetMemory& memory, const pyc_layout& layout, const pyc_tasks& tasks,
                           RemoteAddress tstate) {
  const auto task = find_task(memory, layout, tasks, tstate);
  return task && *task && is_task(memory, layout, tasks, *task) ? *task : RemoteAddress();
}

std::optional<TaskName> task_name(const TargetMemory& memory, const pyc_layout& layout, const pyc_tasks& tasks,
                                  RemoteAddress task) {
  const auto object = memory.read_pointer(task + tasks.task_name);
  const auto type = object ? memory.read_pointer(*object + layout.object_type) : object;
  const auto flags = type ? memory.read<uint64_t>(*type + layout.type_flags) : std::unexpected(type.error());
  if (!flags) return std::nullopt;
  if ((*flags & kStrSubclass) != 0) return read_text(memory, layout, *object);
  return (*flags & kIntSubclass) != 0 ? read_number(memory, layout, *object) : std::nullopt;
}

}  // namespace pycroscope

#include "daemon/collect/task_table.h"

#include <fmt/format.h>

#include <cstring>
#include <string>

#include "daemon/python/unicode.h"

namespace pycroscope {
namespace {

// `text` holds at least what the form says.
std::string decode(const pyc_task_name& form, std::span<const std::byte> text) {
  if (form.unit_bytes == 0) return fmt::format("Task-{}", form.number);
  std::string name = utf8_of(text.first(pyc_task_name_size(&form)), form.unit_bytes);
  if (form.length > PYC_TASK_NAME_LENGTH) name += "…";
  return name;
}

}  // namespace

void TaskTable::add(std::span<const std::byte> record, Symbols& symbols) {
  pyc_task_record head;
  if (record.size() < sizeof head) return;
  std::memcpy(&head, record.data(), sizeof head);
  const auto text = record.subspan(sizeof head);
  if (text.size() < pyc_task_name_size(&head.name)) return;
  names_.try_emplace(head.identity, symbols.intern_string(decode(head.name, text)));
}

std::optional<StringId> TaskTable::name(const pyc_sample& sample) const {
  const auto known = sample.task == 0 ? names_.end() : names_.find(sample.task);
  return known == names_.end() ? std::nullopt : std::optional(known->second);
}

}  // namespace pycroscope

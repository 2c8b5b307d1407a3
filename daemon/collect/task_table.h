// What the task identities of samples mean: names.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>

#include "analysis/model/symbols.h"
#include "bpf/include/records.h"

namespace pycroscope {

// One owner thread.
class TaskTable {
 public:
  // `record` is a pyc_task_record with its name. What cannot be decoded stays unknown.
  void add(std::span<const std::byte> record, Symbols& symbols);
  // What the task of a sample is called, as task.get_name() has it, cut at 200 code points. Nothing: the thread
  // executed none, or its name is unknown.
  std::optional<StringId> name(const pyc_sample& sample) const;

 private:
  std::unordered_map<uint64_t, StringId> names_;  // by identity
};

}  // namespace pycroscope

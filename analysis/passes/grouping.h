// What the samples of a view are told apart by: their process, their thread, the value of a label, in the order asked
// for. Each combination that occurs is a group; group 0 holds everything.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/model/dense_index.h"
#include "analysis/model/labels.h"
#include "analysis/model/result.h"
#include "analysis/model/symbols.h"

namespace pycroscope {

constexpr std::string_view kByProcess = "process", kByThread = "thread", kByTask = kTaskLabel;

struct Group {
  uint32_t parent = 0;               // by all keys but the last, or of the process that started this one
  uint32_t process = 0, thread = 0;  // id + 1, 0: of any
  std::vector<Label> labels;
  std::string text;  // of the last key: "process 7: python app.py", "MainThread", "task=fetch", "[no task]"
};

class Grouping {
 public:
  // How processes stand to those that started them.
  enum class Processes { kSideBySide, kNested };

  // kInvalid, naming those there are, for a key that no sample can have.
  static Result<Grouping> create(const Symbols& symbols, std::vector<std::string> keys, Processes processes);

  const std::vector<std::string>& keys() const { return keys_; }
  bool by(std::string_view key) const;
  // Whether a key is a label's.
  bool by_label() const;

  // The innermost group of such samples, new where it is their first.
  uint32_t add(ThreadId thread, LabelSetId labels);
  // The group of samples that were added.
  uint32_t of(ThreadId thread, LabelSetId labels) const;
  // Parents come before their children.
  std::span<const Group> groups() const { return groups_; }
  // The group's outermost parent first, without group 0.
  std::vector<uint32_t> path(uint32_t group) const;

 private:
  Grouping(const Symbols& symbols, std::vector<std::string> keys, Processes processes)
      : symbols_(&symbols), keys_(std::move(keys)), processes_(processes) {}
  // The group below `parent` of what is numbered `what` among its like; describe() completes it where it is new.
  uint32_t member(uint32_t parent, uint32_t what, bool has_value, const std::function<void(Group&)>& describe);
  uint32_t process_group(uint32_t parent, ProcessId process);
  uint32_t child(uint32_t parent, uint32_t level, ThreadId thread, LabelSetId labels);

  const Symbols* symbols_;
  std::vector<std::string> keys_;
  Processes processes_;
  std::vector<Group> groups_ = {Group{}};
  DenseIndex members_, children_;
  std::vector<uint32_t> group_of_;  // by members_
};

// The value that a label set has for `key`; null when it has none.
const Label* find_label(const Symbols& symbols, LabelSetId labels, std::string_view key);

std::string process_text(const Symbols& symbols, ProcessId id);  // "process 7: python app.py"
std::string thread_text(const Symbols& symbols, ThreadId id);    // its name, or "thread TID"

}  // namespace pycroscope

// The contents of dicts and sets, and attributes that instances keep in dicts of any form.
#pragma once

#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "analysis/model/result.h"
#include "bpf/include/python_layout.h"
#include "daemon/python/object_types.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

struct DictEntry {
  RemoteAddress key;
  RemoteAddress value;
};

struct DictContents {
  std::vector<DictEntry> entries;  // in the order of iteration
  bool complete = true;            // false: it has more
};

// The first `max_entries` entries of a dict or an instance of a subclass. kMemory when its table makes no sense.
Result<DictContents> read_dict(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress dict,
                               size_t max_entries);

struct SetContents {
  std::vector<RemoteAddress> members;  // in the order of iteration
  bool complete = true;                // false: it has more
};

// The first `max_members` members of a set or frozenset. kMemory when its table makes no sense.
Result<SetContents> read_set(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress set,
                             size_t max_members);

// The value of the str key `name` in a dict of at most `max_entries` entries; nullopt when it is not there.
Result<std::optional<RemoteAddress>> find_item(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress dict,
                                               std::string_view name, size_t max_entries);

// Reads one attribute of many instances, by its name. Not thread-safe.
class AttributeReader {
 public:
  // `name` is ASCII and outlives the reader.
  AttributeReader(const TargetMemory& memory, const pyc_layout& layout, std::string_view name)
      : memory_(memory), layout_(layout), name_(name) {}

  // What the instance's own dict has under the name, wherever and in whichever form it keeps that dict; nullopt when it
  // has no such attribute (the class is not asked).
  Result<std::optional<RemoteAddress>> read(RemoteAddress object, const ObjectType& type);

 private:
  Result<std::optional<RemoteAddress>> from_values(RemoteAddress values, RemoteAddress keys);
  Result<std::optional<RemoteAddress>> from_dict(RemoteAddress dict) const;

  const TargetMemory& memory_;
  const pyc_layout& layout_;
  std::string_view name_;
  std::unordered_map<uint64_t, size_t> index_in_keys_;  // a shared key keeps its place for good
};

}  // namespace pycroscope

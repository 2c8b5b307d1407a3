// The values of objects in the target as text, without running anything there.
#pragma once

#include <string>
#include <vector>

#include "bpf/include/python_layout.h"
#include "daemon/python/literals.h"
#include "daemon/python/object_types.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

// Text is the beginning of what repr() gives for int, float, str, bytes, bool, None and list, tuple, dict, set and
// frozenset of them; it ends in "…" when more follows. Everything else is <type at 0x...>, what cannot be read
// <unreadable at 0x...>. Not thread-safe.
class ValueText {
 public:
  static constexpr size_t kMaxBytes = 1000;  // of one text, before the "…"
  static constexpr size_t kMaxDepth = 20;    // of containers in containers

  ValueText(const TargetMemory& memory, const pyc_layout& layout)
      : memory_(memory), layout_(layout), types_(memory, layout) {}

  std::string of(RemoteAddress object);
  // What a cell holds, null when it is empty; `object` itself when it is no cell.
  RemoteAddress look_into_cell(RemoteAddress object);

 private:
  void append(RemoteAddress object, LimitedText& out);
  Status append_value(RemoteAddress object, const ObjectType& type, LimitedText& out);
  Status append_int(RemoteAddress object, LimitedText& out);
  Status append_bool(RemoteAddress object, LimitedText& out);
  Status append_str(RemoteAddress object, LimitedText& out);
  Status append_bytes(RemoteAddress object, LimitedText& out);
  Status append_container(RemoteAddress object, const ObjectType& type, LimitedText& out);
  Status append_list(RemoteAddress object, LimitedText& out);
  Status append_tuple(RemoteAddress object, LimitedText& out);
  Status append_dict(RemoteAddress object, LimitedText& out);
  Status append_set(RemoteAddress object, std::string_view type_name, LimitedText& out);
  // `size` references at `items`, separated by commas.
  Status append_items(RemoteAddress items, uint64_t size, LimitedText& out);

  const TargetMemory& memory_;
  const pyc_layout& layout_;
  ObjectTypes types_;
  std::vector<RemoteAddress> inside_;  // the containers being written
};

}  // namespace pycroscope

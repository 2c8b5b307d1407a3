// Types of objects in the target: what they are called, which of the built-in ones they are; and the value of an int.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "analysis/model/result.h"
#include "bpf/include/python_layout.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

// The built-in types whose values can be read from outside. Instances of subclasses are kOther: their repr() is code.
enum class ObjectKind {
  kOther,
  kNone,
  kBool,
  kInt,
  kFloat,
  kStr,
  kBytes,
  kList,
  kTuple,
  kDict,
  kSet,
  kFrozenset,
  kCell,
  kModule,
};

struct ObjectType {
  ObjectKind kind = ObjectKind::kOther;
  std::string name;     // __name__, cut at 100 bytes; printable ASCII or well-formed UTF-8
  bool is_str = false;  // str or a subclass of it
  bool is_int = false;
  bool is_dict = false;
  bool managed_dict = false;   // its instances have a dict in front of them, see pyc_managed_dict_kind
  bool inline_values = false;  // 3.13: the dict's values may stand inside the instance
  uint64_t basic_size = 0;
  int64_t dict_offset = 0;    // tp_dictoffset; not positive: none
  RemoteAddress cached_keys;  // ht_cached_keys, null for static types
};

// Not thread-safe. References stay valid as long as the object.
class ObjectTypes {
 public:
  ObjectTypes(const TargetMemory& memory, const pyc_layout& layout) : memory_(memory), layout_(layout) {}

  // The type of the object at `object`; kMemory when there is no such object, or what it says is its type is none.
  Result<const ObjectType*> type_of(RemoteAddress object);

 private:
  Result<ObjectType> read_type(RemoteAddress type) const;

  const TargetMemory& memory_;
  const pyc_layout& layout_;
  std::unordered_map<uint64_t, ObjectType> types_;
};

// An int: its absolute value in digits of base 2**30, least significant first, none for zero.
struct IntValue {
  bool negative = false;
  bool too_large = false;  // over kMaxIntDigits; then no digits were read
  std::vector<uint32_t> digits;
};
// repr() of larger ones is an error by default: sys.int_info.default_max_str_digits is 4300.
constexpr uint64_t kMaxIntDigits = 480;
Result<IntValue> read_int(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress object);

}  // namespace pycroscope

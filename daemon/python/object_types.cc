#include "daemon/python/object_types.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <utility>

#include "daemon/python/unicode.h"

namespace pycroscope {
namespace {

// Flags of types, as far as they exist the same from 3.8 to 3.15: v3.13.0 Include/object.h.
constexpr uint64_t kInlineValues = 1u << 2;
constexpr uint64_t kManagedDict = 1u << 4;
constexpr uint64_t kHeapType = 1u << 9;
constexpr uint64_t kReady = 1u << 12;
constexpr uint64_t kIntSubclass = 1u << 24;
constexpr uint64_t kListSubclass = 1u << 25;
constexpr uint64_t kTupleSubclass = 1u << 26;
constexpr uint64_t kBytesSubclass = 1u << 27;
constexpr uint64_t kStrSubclass = 1u << 28;
constexpr uint64_t kDictSubclass = 1u << 29;

struct BuiltIn {
  std::string_view name;
  uint64_t flag;  // that its type has as well, 0: none
  ObjectKind kind;
};
constexpr BuiltIn kBuiltIns[] = {
    {"NoneType", 0, ObjectKind::kNone},         {"bool", kIntSubclass, ObjectKind::kBool},
    {"int", kIntSubclass, ObjectKind::kInt},    {"float", 0, ObjectKind::kFloat},
    {"str", kStrSubclass, ObjectKind::kStr},    {"bytes", kBytesSubclass, ObjectKind::kBytes},
    {"list", kListSubclass, ObjectKind::kList}, {"tuple", kTupleSubclass, ObjectKind::kTuple},
    {"dict", kDictSubclass, ObjectKind::kDict}, {"set", 0, ObjectKind::kSet},
    {"frozenset", 0, ObjectKind::kFrozenset},   {"cell", 0, ObjectKind::kCell},
    {"module", 0, ObjectKind::kModule},
};

// Heap types are made at run time and may bear any name; those of the list are static.
ObjectKind built_in_kind(std::string_view name, uint64_t flags) {
  if ((flags & kHeapType) != 0) return ObjectKind::kOther;
  const auto found = std::ranges::find_if(
      kBuiltIns, [&](const BuiltIn& type) { return type.name == name && (flags & type.flag) == type.flag; });
  return found == std::end(kBuiltIns) ? ObjectKind::kOther : found->kind;
}

constexpr size_t kMaxName = 100;

// A static type's tp_name may have its module in front: "collections.deque".
Result<std::string> read_type_name(const TargetMemory& memory, RemoteAddress address) {
  std::string text;
  std::array<char, 32> part;
  while (text.size() < 2 * kMaxName) {
    // Not across a page's end: what follows it need not be mapped.
    const size_t size = std::min<size_t>(part.size(), 4096 - address.address() % 4096);
    PYC_CHECK(memory.read_bytes(address, std::as_writable_bytes(std::span(part).first(size))));
    const auto end = std::find(part.begin(), part.begin() + static_cast<ptrdiff_t>(size), '\0');
    text.append(part.begin(), end);
    if (end != part.begin() + static_cast<ptrdiff_t>(size)) break;
    address = address + size;
  }
  if (const size_t dot = text.rfind('.'); dot != text.npos) text.erase(0, dot + 1);
  if (text.empty()) return fail(ErrorCode::kMemory, "a type without a name");
  return printable_utf8(text.substr(0, kMaxName));
}

}  // namespace

Result<ObjectType> ObjectTypes::read_type(RemoteAddress type) const {
  PYC_TRY(const uint64_t flags, memory_.read<uint64_t>(type + layout_.type_flags));
  if ((flags & kReady) == 0) return fail(ErrorCode::kMemory, "not a type");
  PYC_TRY(const RemoteAddress name, memory_.read_pointer(type + layout_.type_name));
  ObjectType result;
  PYC_TRY(result.name, read_type_name(memory_, name));
  result.kind = built_in_kind(result.name, flags);
  result.is_str = (flags & kStrSubclass) != 0;
  result.is_int = (flags & kIntSubclass) != 0;
  result.is_dict = (flags & kDictSubclass) != 0;
  result.managed_dict = layout_.managed_dict_kind != PYC_MANAGED_DICT_NONE && (flags & kManagedDict) != 0;
  result.inline_values = (flags & kInlineValues) != 0;
  PYC_TRY(result.basic_size, memory_.read<uint64_t>(type + layout_.type_basicsize));
  PYC_TRY(result.dict_offset, memory_.read<int64_t>(type + layout_.type_dictoffset));
  if ((flags & kHeapType) != 0) {
    PYC_TRY(result.cached_keys, memory_.read_pointer(type + layout_.type_cached_keys));
  }
  return result;
}

Result<const ObjectType*> ObjectTypes::type_of(RemoteAddress object) {
  PYC_TRY(const RemoteAddress type, memory_.read_pointer(object + layout_.object_type));
  if (const auto known = types_.find(type.address()); known != types_.end()) return &known->second;
  PYC_TRY(ObjectType fresh, read_type(type));
  return &types_.emplace(type.address(), std::move(fresh)).first->second;
}

Result<IntValue> read_int(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress object) {
  PYC_TRY(const auto tag, memory.read<int64_t>(object + layout.long_tag));
  IntValue value;
  uint64_t count = 0;
  if (layout.long_tagged != 0) {
    // The number of digits above three bits, of which two are the sign (1: zero, 2: negative).
    value.negative = (tag & 3) == 2;
    count = (tag & 3) == 1 ? 0 : static_cast<uint64_t>(tag) >> 3;
  } else {
    value.negative = tag < 0;
    count = tag < 0 ? 0 - static_cast<uint64_t>(tag) : static_cast<uint64_t>(tag);
  }
  value.too_large = count > kMaxIntDigits;
  if (value.too_large) return value;
  value.digits.resize(count);
  PYC_CHECK(memory.read_bytes(object + layout.long_digits, std::as_writable_bytes(std::span(value.digits))));
  return value;
}

}  // namespace pycroscope

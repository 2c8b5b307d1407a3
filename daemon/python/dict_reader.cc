#include "daemon/python/dict_reader.h"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>

#include "daemon/python/unicode.h"

namespace pycroscope {
namespace {

constexpr size_t kMaxSharedKeys = 30;  // SHARED_KEYS_MAX_SIZE, v3.13.0 Include/internal/pycore_dict.h
constexpr uint64_t kPointer = 8;
constexpr uint64_t kMaxSlots =
    1 << 16;  // that are looked at: what once was large may have few entries in a large table

std::unexpected<Error> damaged(const char* what) { return fail(ErrorCode::kMemory, what); }

// PyObject and its subclasses begin with a reference count and the type.
uint64_t header_size(const pyc_layout& layout) { return layout.object_type + kPointer; }

// PyDictKeysObject: a header, a hash table of indices, then the entries in the order of insertion.
struct Keys {
  RemoteAddress entries;
  size_t entry_count = 0;
  size_t entry_size = 0;  // of hash, key, value or of key, value

  RemoteAddress key(size_t i) const { return entries + i * entry_size + entry_size - 2 * kPointer; }
};

// Before 3.11: the size of the hash table itself, and all entries with their hash.
Result<Keys> read_plain_keys(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress keys) {
  PYC_TRY(const auto size, memory.read<uint64_t>(keys + layout.keys_size));
  PYC_TRY(const auto count, memory.read<uint64_t>(keys + layout.keys_entries));
  if (!std::has_single_bit(size) || size >> 40 != 0 || count > size) {
    return damaged("the keys of a dict make no sense");
  }
  const uint64_t index_bytes = size <= 0xff ? 1 : size <= 0xffff ? 2 : size <= 0xffff'ffff ? 4 : 8;
  return Keys{
      .entries = keys + layout.keys_indices + size * index_bytes, .entry_count = count, .entry_size = 3 * kPointer};
}

Result<Keys> read_keys(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress keys) {
  if (layout.keys_size != PYC_NO_OFFSET) return read_plain_keys(memory, layout, keys);
  PYC_TRY(const auto log2_size, memory.read<uint8_t>(keys + layout.keys_log2_size));
  PYC_TRY(const auto log2_index_bytes, memory.read<uint8_t>(keys + layout.keys_log2_index_bytes));
  PYC_TRY(const auto kind, memory.read<uint8_t>(keys + layout.keys_kind));
  PYC_TRY(const auto count, memory.read<uint64_t>(keys + layout.keys_entries));
  if (log2_size > 40 || log2_index_bytes < log2_size || log2_index_bytes > log2_size + 3 || kind > 2 ||
      count > uint64_t{1} << log2_size) {
    return damaged("the keys of a dict make no sense");
  }
  Keys result;
  result.entries = keys + layout.keys_indices + (uint64_t{1} << log2_index_bytes);
  result.entry_count = count;
  result.entry_size = (kind == 0 ? 3 : 2) * kPointer;
  return result;
}

Result<std::vector<uint8_t>> read_order(const TargetMemory& memory, RemoteAddress address, uint8_t size) {
  std::vector<uint8_t> order(size);
  PYC_CHECK(memory.read_bytes(address, std::as_writable_bytes(std::span(order))));
  return order;
}

// The order of insertion of a dict whose values stand apart from its (shared) keys: one byte an entry.
Result<std::vector<uint8_t>> insertion_order(const TargetMemory& memory, const pyc_layout& layout,
                                             RemoteAddress values) {
  if (layout.managed_dict_kind == PYC_MANAGED_DICT_INLINE) {
    // struct _dictvalues of 3.13: capacity, size, two flags, the values, the order.
    PYC_TRY(const auto head, (memory.read<std::array<uint8_t, 2>>(values)));
    if (head[1] > head[0] || head[0] > kMaxSharedKeys) return damaged("the values of a dict make no sense");
    return read_order(memory, values + layout.values_items + head[0] * kPointer, head[1]);
  }
  // Before 3.13 the bytes stand in front of the values, backwards: ..., order[1], order[0], size, size of this prefix.
  PYC_TRY(const auto tail, (memory.read<std::array<uint8_t, 2>>(values - 2)));
  if (tail[0] > kMaxSharedKeys) return damaged("the values of a dict make no sense");
  PYC_TRY(auto order, read_order(memory, values - 2 - tail[0], tail[0]));
  std::ranges::reverse(order);
  return order;
}

// Indices of the keys in the order of insertion.
Result<std::vector<size_t>> split_order(const TargetMemory& memory, const pyc_layout& layout, const Keys& keys,
                                        RemoteAddress values) {
  if (layout.managed_dict_kind == PYC_MANAGED_DICT_NONE) {
    // Such dicts insert in the order of their keys, or give up sharing.
    std::vector<size_t> order(std::min<size_t>(keys.entry_count, kMaxSlots));
    std::iota(order.begin(), order.end(), size_t{0});
    return order;
  }
  PYC_TRY(const auto order, insertion_order(memory, layout, values));
  return std::vector<size_t>(order.begin(), order.end());
}

Result<DictContents> read_split(const TargetMemory& memory, const pyc_layout& layout, const Keys& keys,
                                RemoteAddress values, size_t max_entries) {
  PYC_TRY(const auto order, split_order(memory, layout, keys, values));
  DictContents contents;
  for (const size_t i : order) {
    if (i >= keys.entry_count) return damaged("the order of a dict makes no sense");
    PYC_TRY(const RemoteAddress key, memory.read_pointer(keys.key(i)));
    PYC_TRY(const RemoteAddress value, memory.read_pointer(values + layout.values_items + i * kPointer));
    if (!key || !value) continue;
    if (contents.entries.size() == max_entries) {
      contents.complete = false;
      break;
    }
    contents.entries.push_back({key, value});
  }
  return contents;
}

Result<DictContents> read_combined(const TargetMemory& memory, const Keys& keys, size_t max_entries) {
  DictContents contents;
  for (size_t i = 0; i < keys.entry_count; ++i) {
    if (i == kMaxSlots || contents.entries.size() == max_entries) {
      contents.complete = false;
      break;
    }
    PYC_TRY(const auto entry, memory.read<DictEntry>(keys.key(i)));
    if (entry.key && entry.value) contents.entries.push_back(entry);  // deleted entries have no value
  }
  return contents;
}

}  // namespace

Result<DictContents> read_dict(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress dict,
                               size_t max_entries) {
  PYC_TRY(const RemoteAddress keys_address, memory.read_pointer(dict + layout.dict_keys));
  PYC_TRY(const RemoteAddress values, memory.read_pointer(dict + layout.dict_values));
  PYC_TRY(const Keys keys, read_keys(memory, layout, keys_address));
  if (values) return read_split(memory, layout, keys, values, max_entries);
  return read_combined(memory, keys, max_entries);
}

Result<SetContents> read_set(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress set,
                             size_t max_members) {
  // PySetObject: fill, used, mask, table, the same since 3.7. A slot is a key and its hash; what was discarded leaves a
  // slot with hash -1.
  const RemoteAddress fields = set + header_size(layout);
  PYC_TRY(const auto used, memory.read<uint64_t>(fields + 8));
  PYC_TRY(const auto mask, memory.read<uint64_t>(fields + 16));
  PYC_TRY(const auto table, memory.read_pointer(fields + 24));
  if (used > mask || (mask & (mask + 1)) != 0) return damaged("a set's table makes no sense");
  struct Slot {
    RemoteAddress key;
    int64_t hash;
  };
  SetContents contents;
  for (uint64_t i = 0; i <= mask && contents.members.size() < used; ++i) {
    if (i == kMaxSlots || contents.members.size() == max_members) {
      contents.complete = false;
      break;
    }
    PYC_TRY(const auto slot, memory.read<Slot>(table + i * sizeof(Slot)));
    if (slot.key && slot.hash != -1) contents.members.push_back(slot.key);
  }
  return contents;
}

Result<std::optional<RemoteAddress>> find_item(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress dict,
                                               std::string_view name, size_t max_entries) {
  PYC_TRY(const auto contents, read_dict(memory, layout, dict, max_entries));
  for (const DictEntry& entry : contents.entries) {
    // A key that cannot be read (any more) is not the one.
    if (equals_ascii(memory, layout, entry.key, name)) return entry.value;
  }
  return std::nullopt;
}

Result<std::optional<RemoteAddress>> AttributeReader::from_dict(RemoteAddress dict) const {
  return find_item(memory_, layout_, dict, name_, 4096);
}

Result<std::optional<RemoteAddress>> AttributeReader::from_values(RemoteAddress values, RemoteAddress keys_address) {
  auto index = index_in_keys_.find(keys_address.address());
  if (index == index_in_keys_.end()) {
    PYC_TRY(const Keys keys, read_keys(memory_, layout_, keys_address));
    for (size_t i = 0; i < std::min(keys.entry_count, kMaxSharedKeys); ++i) {
      PYC_TRY(const RemoteAddress key, memory_.read_pointer(keys.key(i)));
      if (!equals_ascii(memory_, layout_, key, name_)) continue;
      index = index_in_keys_.emplace(keys_address.address(), i).first;
      break;
    }
    if (index == index_in_keys_.end()) return std::nullopt;
  }
  PYC_TRY(const RemoteAddress value, memory_.read_pointer(values + layout_.values_items + index->second * kPointer));
  if (!value) return std::nullopt;
  return value;
}

Result<std::optional<RemoteAddress>> AttributeReader::read(RemoteAddress object, const ObjectType& type) {
  if (!type.managed_dict) {
    if (type.dict_offset <= 0) return std::nullopt;
    PYC_TRY(const RemoteAddress dict, memory_.read_pointer(object + static_cast<uint64_t>(type.dict_offset)));
    if (!dict) return std::nullopt;
    return from_dict(dict);
  }
  PYC_TRY(const RemoteAddress slot, memory_.read_pointer(object - layout_.managed_dict_before));
  switch (layout_.managed_dict_kind) {
    case PYC_MANAGED_DICT_TWO_SLOTS: {
      if (slot) return from_dict(slot);
      PYC_TRY(const RemoteAddress values, memory_.read_pointer(RemoteAddress(object.address() - 4 * kPointer)));
      if (!values) return std::nullopt;
      return from_values(values, type.cached_keys);
    }
    case PYC_MANAGED_DICT_TAGGED:
      if ((slot.address() & 1) != 0) return from_values(slot + 1, type.cached_keys);
      break;
    case PYC_MANAGED_DICT_INLINE:
      if (!slot && type.inline_values) return from_values(object + type.basic_size, type.cached_keys);
      break;
    default:
      return damaged("unknown kind of instance dict");
  }
  if (!slot) return std::nullopt;
  return from_dict(slot);
}

}  // namespace pycroscope

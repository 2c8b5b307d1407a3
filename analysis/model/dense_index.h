// Numbers distinct keys 0, 1, 2, ... in the order of their first appearance: a flat hash table, for the places where
// a view's cost per sample or per stack node is decided.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace pycroscope {

class DenseIndex {
 public:
  using Key = std::array<uint32_t, 3>;

  DenseIndex() : slots_(kInitialSlots, kEmpty) {}

  // The key's number, a new one for a new key.
  uint32_t operator()(const Key& key) {
    if (keys_.size() * 2 >= slots_.size()) grow();
    size_t slot = slot_of(key);
    if (slots_[slot] == kEmpty) {
      slots_[slot] = static_cast<uint32_t>(keys_.size());
      keys_.push_back(key);
    }
    return slots_[slot];
  }

  // The number of a key that has one.
  std::optional<uint32_t> find(const Key& key) const {
    uint32_t number = slots_[slot_of(key)];
    return number == kEmpty ? std::nullopt : std::optional(number);
  }

  const std::vector<Key>& keys() const { return keys_; }
  uint32_t size() const { return static_cast<uint32_t>(keys_.size()); }

 private:
  static constexpr uint32_t kEmpty = UINT32_MAX;
  static constexpr size_t kInitialSlots = 64;

  static size_t hash(const Key& key) {
    uint64_t h = ((uint64_t{key[0]} << 32) | key[1]) * 0x9E3779B97F4A7C15u;
    h = (h ^ (h >> 32) ^ key[2]) * 0xBF58476D1CE4E5B9u;
    return static_cast<size_t>(h ^ (h >> 31));
  }

  // Where the key is, or the empty slot where it belongs.
  size_t slot_of(const Key& key) const {
    size_t mask = slots_.size() - 1;
    size_t slot = hash(key) & mask;
    while (slots_[slot] != kEmpty && keys_[slots_[slot]] != key) slot = (slot + 1) & mask;
    return slot;
  }

  void grow() {
    slots_.assign(slots_.size() * 2, kEmpty);
    for (uint32_t i = 0; i < keys_.size(); ++i) slots_[slot_of(keys_[i])] = i;
  }

  std::vector<Key> keys_;
  std::vector<uint32_t> slots_;  // numbers of keys; a power of two of them
};

}  // namespace pycroscope

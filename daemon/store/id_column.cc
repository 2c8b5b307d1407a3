#include "daemon/store/id_column.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>

namespace pycroscope {
namespace {

enum IdModel : uint8_t { kRank = 0, kSuccessor = 1, kMoveToFront = 2 };  // on disk: DO NOT CHANGE

constexpr size_t kFrequentIds = 256;
constexpr size_t kMaxMoveToFront = 1024;  // bounds the work of a list that is searched for each id

// What followed each rank the last time. Before that, rank 0.
class Successors {
 public:
  explicit Successors(size_t ranks) : next_(ranks + 1, 0), previous_(ranks) {}
  uint32_t predicted() const { return next_[previous_]; }
  void saw(uint32_t rank) {
    next_[previous_] = rank;
    previous_ = rank;
  }

 private:
  std::vector<uint32_t> next_;
  size_t previous_;
};

class MoveToFront {
 public:
  explicit MoveToFront(size_t ranks) : list_(ranks) { std::iota(list_.begin(), list_.end(), 0u); }
  uint32_t place(uint32_t rank) const { return static_cast<uint32_t>(std::ranges::find(list_, rank) - list_.begin()); }
  uint32_t take(uint32_t place) {
    uint32_t rank = list_[place];
    std::copy_backward(list_.begin(), list_.begin() + place, list_.begin() + place + 1);
    list_[0] = rank;
    return rank;
  }

 private:
  std::vector<uint32_t> list_;
};

std::vector<uint64_t> model_values(IdModel model, const RankedIds& ids) {
  std::vector<uint64_t> values(ids.ranks.begin(), ids.ranks.end());
  if (model == kSuccessor) {
    Successors successors(ids.dictionary.size());
    for (uint64_t& value : values) {
      auto rank = static_cast<uint32_t>(value);
      value = successors.predicted() == rank ? 0 : value + 1;
      successors.saw(rank);
    }
  } else if (model == kMoveToFront) {
    MoveToFront list(ids.dictionary.size());
    for (uint64_t& value : values) {
      uint32_t place = list.place(static_cast<uint32_t>(value));
      list.take(place);
      value = place;
    }
  }
  return values;
}

std::vector<uint32_t> decode_dictionary(size_t count, ByteReader& in) {
  uint64_t size = in.varint();
  if (size > count || size > in.remaining() || (size == 0 && count > 0)) in.fail();
  std::vector<uint32_t> dictionary;
  int64_t id = 0;
  for (uint64_t i = 0; in.ok() && i < size; ++i) {
    int64_t step = in.zigzag();
    if (step < -int64_t{UINT32_MAX} || step > int64_t{UINT32_MAX}) in.fail();
    if (!in.ok()) break;
    id += step;
    if (id < 0 || id > int64_t{UINT32_MAX}) in.fail();
    dictionary.push_back(static_cast<uint32_t>(id));
  }
  return dictionary;
}

// Turns a model's values into ranks in place; false when a value is out of range.
bool restore_ranks(IdModel model, size_t distinct, std::vector<uint64_t>& values) {
  Successors successors(model == kSuccessor ? distinct : 0);
  MoveToFront list(model == kMoveToFront ? distinct : 0);
  for (uint64_t& value : values) {
    if (model == kSuccessor) {
      value = value == 0 ? successors.predicted() : value - 1;
    }
    if (value >= distinct) return false;
    if (model == kMoveToFront) value = list.take(static_cast<uint32_t>(value));
    if (model == kSuccessor) successors.saw(static_cast<uint32_t>(value));
  }
  return true;
}

}  // namespace

RankedIds rank_ids(std::span<const uint32_t> ids) {
  std::unordered_map<uint32_t, uint32_t> seen;        // id → its place in `counts`, later its rank
  std::vector<std::pair<uint32_t, uint32_t>> counts;  // (count, id)
  RankedIds ranked;
  ranked.ranks.reserve(ids.size());
  for (uint32_t id : ids) {
    auto [it, added] = seen.try_emplace(id, static_cast<uint32_t>(counts.size()));
    if (added) counts.emplace_back(0, id);
    ++counts[it->second].first;
    ranked.ranks.push_back(it->second);
  }
  std::vector<uint32_t> order(counts.size());
  std::iota(order.begin(), order.end(), 0u);
  auto frequent_end = order.begin() + static_cast<ptrdiff_t>(std::min(order.size(), kFrequentIds));
  std::ranges::partial_sort(order, frequent_end, [&](uint32_t a, uint32_t b) { return counts[a] > counts[b]; });
  auto by_id = [&](uint32_t a, uint32_t b) { return counts[a].second < counts[b].second; };
  std::sort(order.begin(), frequent_end, by_id);
  std::sort(frequent_end, order.end(), by_id);

  std::vector<uint32_t> rank_of(order.size());
  for (uint32_t rank = 0; rank < order.size(); ++rank) {
    rank_of[order[rank]] = rank;
    ranked.dictionary.push_back(counts[order[rank]].second);
  }
  for (uint32_t& rank : ranked.ranks) rank = rank_of[rank];
  return ranked;
}

void encode_ids(const RankedIds& ids, Effort effort, ByteWriter& out) {
  out.varint(ids.dictionary.size());
  int64_t previous = 0;
  for (uint32_t id : ids.dictionary) {
    out.zigzag(id - previous);
    previous = id;
  }
  std::string best;
  for (IdModel model : {kRank, kSuccessor, kMoveToFront}) {
    if (model != kRank && (ids.dictionary.size() == 1 || effort == Effort::kQuick)) continue;
    if (model == kMoveToFront && ids.dictionary.size() > kMaxMoveToFront) continue;
    ByteWriter candidate;
    candidate.byte(model);
    encode_integers(model_values(model, ids), effort, candidate);
    if (best.empty() || candidate.size() < best.size()) best = candidate.take();
  }
  out.bytes(best);
}

RankedIds decode_ids(size_t count, ByteReader& in) {
  RankedIds ids{decode_dictionary(count, in), {}};
  IdModel model{in.byte()};
  if (model > kMoveToFront || (model == kMoveToFront && ids.dictionary.size() > kMaxMoveToFront)) in.fail();
  if (!in.ok()) return ids;
  std::vector<uint64_t> values = decode_integers(count, in);
  if (!in.ok() || !restore_ranks(model, ids.dictionary.size(), values)) {
    in.fail();
    return ids;
  }
  ids.ranks.resize(count);
  std::ranges::transform(values, ids.ranks.begin(), [](uint64_t value) { return static_cast<uint32_t>(value); });
  return ids;
}

}  // namespace pycroscope

#include "daemon/store/trace_codec.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <numeric>
#include <vector>

#include "daemon/store/bytes.h"
#include "daemon/store/trace_predictor.h"

namespace pycroscope {
namespace {

enum TokenModel : uint8_t { kRanks = 0, kPredicted = 1 };                       // on disk: DO NOT CHANGE
enum TimeModel : uint8_t { kAscending = 0, kAnyOrder = 1, kAgainstPlace = 2 };  // on disk: DO NOT CHANGE
enum ArgumentModel : uint8_t { kValues = 0, kDifferences = 1 };                 // on disk: DO NOT CHANGE

using Integers = std::vector<uint64_t>;

void encode(const Integers& values, ByteWriter& out) { encode_integers(values, Effort::kQuick, out); }

void encode_sized(const Integers& values, ByteWriter& out) {
  out.varint(values.size());
  encode(values, out);
}

// At most `limit` integers.
Integers decode_sized(size_t limit, ByteReader& in) {
  const uint64_t size = in.varint();
  if (size > limit) in.fail();
  return in.ok() ? decode_integers(size, in) : Integers();
}

bool all_below(const Integers& values, uint64_t limit) {
  return std::ranges::all_of(values, [&](uint64_t value) { return value < limit; });
}

// The distinct tokens of a block, numbered as they come.
class Dictionary {
 public:
  Dictionary() : slots_(size_t{1} << kBits) {}

  // 0 for a new one, else its number + 1.
  uint32_t code(TraceToken token) {
    for (size_t slot = token * 0x9E3779B97F4A7C15u >> (64 - kBits);; slot = (slot + 1) & (slots_.size() - 1)) {
      if (slots_[slot] == 0) {
        tokens_.push_back(token);
        slots_[slot] = static_cast<uint32_t>(tokens_.size());
        return 0;
      }
      if (tokens_[slots_[slot] - 1] == token) return slots_[slot];
    }
  }
  const std::vector<TraceToken>& tokens() const { return tokens_; }

 private:
  static constexpr int kBits = 17;
  static_assert(size_t{1} << kBits > kMaxTraceBlockEvents);
  std::vector<uint32_t> slots_;  // number + 1, 0 empty
  std::vector<TraceToken> tokens_;
};

void encode_runs(const TraceColumns& events, ByteWriter& out) {
  const auto column = [&](auto field) {
    Integers values;
    for (const TraceRun& run : events.runs) values.push_back(field(run));
    encode(values, out);
  };
  out.varint(events.runs.size());
  column([](const TraceRun& run) { return index(run.thread); });
  column([](const TraceRun& run) { return index(run.stack); });
  column([](const TraceRun& run) { return index(run.labels); });
  column([](const TraceRun& run) { return run.count; });
}

bool decode_runs(size_t count, TraceColumns& events, ByteReader& in) {
  const uint64_t size = in.varint();
  if (size == 0 || size > count) return false;
  std::array<Integers, 4> columns;
  for (Integers& column : columns) {
    column = decode_integers(size, in);
    if (!in.ok() || !all_below(column, uint64_t{UINT32_MAX} + 1)) return false;
  }
  uint64_t total = 0;
  for (size_t i = 0; i < size; ++i) {
    const auto at = [&](size_t column) { return static_cast<uint32_t>(columns[column][i]); };
    events.runs.push_back({ThreadId{at(0)}, StackId{at(1)}, LabelSetId{at(2)}, at(3)});
    if (at(3) == 0) return false;
    total += at(3);
  }
  return total == count;
}

// Tokens and, at the same places, what the steps of time are predicted to be.
struct Predicted {
  Dictionary dictionary;
  Integers hits, misses;
  std::vector<int64_t> steps;  // less what was predicted
};

struct Steps {
  std::vector<int64_t> starts, steps;
  bool ascending = true;
};

Steps steps_of(const TraceColumns& events) {
  Steps result;
  result.steps.reserve(events.size());
  const int64_t* time = events.time_ns.data();
  for (const TraceRun& run : events.runs) {
    result.starts.push_back(*time);
    for (uint32_t i = 1; i < run.count; ++i) {
      const int64_t step = static_cast<int64_t>(static_cast<uint64_t>(time[i]) - static_cast<uint64_t>(time[i - 1]));
      result.ascending &= time[i] >= time[i - 1];
      result.steps.push_back(step);
    }
    time += run.count;
  }
  return result;
}

constexpr int64_t minus(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}
constexpr int64_t plus(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}

Predicted predict(const TraceColumns& events, const std::vector<int64_t>& steps) {
  Predicted result;
  result.steps.reserve(steps.size());
  TracePredictor predictor;
  uint64_t hits = 0;
  size_t i = 0;
  const int64_t* step = steps.data();
  for (const TraceRun& run : events.runs) {
    const size_t begin = i;
    for (const size_t end = begin + run.count; i < end; ++i) {
      const TraceToken token = trace_token(events.type[i], events.id[i]);
      TracePredictor::Place& place = predictor.place();
      if (place.token == token) {
        ++hits;
      } else {
        result.hits.push_back(hits);
        hits = 0;
        result.misses.push_back(result.dictionary.code(token));
        place.token = token;
      }
      if (i != begin) {
        result.steps.push_back(minus(*step, place.step));
        place.step = *step++;
      }
      predictor.advance(token);
    }
  }
  result.hits.push_back(hits);
  return result;
}

Integers codes_of(const TraceColumns& events, Dictionary& dictionary) {
  Integers codes(events.size());
  for (size_t i = 0; i < events.size(); ++i) codes[i] = dictionary.code(trace_token(events.type[i], events.id[i]));
  return codes;
}

void encode_dictionary(const Dictionary& dictionary, ByteWriter& out) {
  Integers types, ids;
  for (const TraceToken token : dictionary.tokens()) {
    types.push_back(token >> 32);
    ids.push_back(static_cast<uint32_t>(token));
  }
  out.varint(types.size());
  encode(types, out);
  encode(ids, out);
}

std::vector<TraceToken> decode_dictionary(size_t count, ByteReader& in) {
  const uint64_t size = in.varint();
  if (size > count) in.fail();
  if (!in.ok()) return {};
  const Integers types = decode_integers(size, in);
  if (!in.ok() || !all_below(types, kTraceTypes)) return {};
  const Integers ids = decode_integers(size, in);
  if (!in.ok() || !all_below(ids, uint64_t{UINT32_MAX} + 1)) return {};
  std::vector<TraceToken> tokens(size);
  for (size_t i = 0; i < size; ++i) tokens[i] = types[i] << 32 | ids[i];
  return tokens;
}

void encode_tokens(const TraceColumns& events, const Predicted& predicted, ByteWriter& out) {
  if (predicted.misses.size() <= events.size() / 2) {
    encode_dictionary(predicted.dictionary, out);
    out.byte(kPredicted);
    encode_sized(predicted.hits, out);
    encode(predicted.misses, out);
    return;
  }
  Dictionary dictionary;
  const Integers codes = codes_of(events, dictionary);
  encode_dictionary(dictionary, out);
  out.byte(kRanks);
  encode(codes, out);
}

// Tokens as they come, whichever way they were stored.
class TokenReader {
 public:
  TokenReader(size_t count, ByteReader& in) : dictionary_(decode_dictionary(count, in)) {
    const uint8_t model = in.byte();
    if (model > kPredicted) in.fail();
    predicted_ = model == kPredicted;
    if (predicted_ && in.ok()) hits_ = decode_sized(count + 1, in);
    if (predicted_ && hits_.empty()) in.fail();
    if (in.ok()) codes_ = decode_integers(predicted_ ? hits_.size() - 1 : count, in);
    ok_ = in.ok() && (!predicted_ || std::reduce(hits_.begin(), hits_.end(), codes_.size()) == count);
    if (predicted_ && ok_) hits_left_ = hits_[0];
  }

  // The next of `count`. `place` is the predictor's.
  TraceToken next(TracePredictor::Place& place) {
    if (predicted_ && hits_left_ > 0) {
      --hits_left_;
      if (place.token != TracePredictor::kNothing) return place.token;
      ok_ = false;
      return 0;
    }
    const uint64_t code = codes_[at_++];
    if (predicted_) hits_left_ = hits_[at_];
    const uint64_t number = code == 0 ? known_++ : code - 1;
    if (number >= dictionary_.size()) {
      ok_ = false;
      return 0;
    }
    return place.token = dictionary_[number];
  }
  bool ok() const { return ok_; }

 private:
  std::vector<TraceToken> dictionary_;
  Integers hits_, codes_;
  size_t at_ = 0, known_ = 0;
  uint64_t hits_left_ = 0;
  bool predicted_ = false, ok_ = false;
};

// About how many bytes the low byte's entropy leaves of such values, and how many they have above it.
double cost(const Integers& values) {
  std::array<uint32_t, 256> counts{};
  double above = 0;
  constexpr size_t kSampled = 4096;
  const size_t n = std::min(values.size(), kSampled);
  for (size_t i = 0; i < n; ++i) {
    ++counts[values[i] & 0xFF];
    above += values[i] > 0xFF ? static_cast<double>(std::bit_width(values[i] >> 8)) / 8 : 0;
  }
  double sum = above;
  for (const uint32_t count : counts)
    if (count) sum += count * static_cast<double>(std::bit_width(n / count)) / 8;
  return sum;
}

Integers zigzags(const std::vector<int64_t>& values) {
  Integers result(values.size());
  std::ranges::transform(values, result.begin(), zigzag_encode);
  return result;
}

void encode_times(const Steps& steps, const std::vector<int64_t>& against, ByteWriter& out) {
  std::vector<int64_t> starts(steps.starts.size());
  std::adjacent_difference(steps.starts.begin(), steps.starts.end(), starts.begin(), minus);
  out.zigzag(starts[0]);
  starts[0] = 0;
  encode(zigzags(starts), out);
  Integers plain = steps.ascending ? Integers(steps.steps.begin(), steps.steps.end()) : zigzags(steps.steps);
  Integers predicted = zigzags(against);
  const bool against_place = cost(predicted) < cost(plain);
  out.byte(against_place ? kAgainstPlace : steps.ascending ? kAscending : kAnyOrder);
  encode(against_place ? predicted : plain, out);
}

struct Times {
  std::vector<int64_t> starts;
  uint8_t model = 0;
  Integers steps;
};

Times decode_times(const TraceColumns& events, size_t count, ByteReader& in) {
  Times times;
  int64_t last = in.zigzag();
  for (const uint64_t start : decode_integers(events.runs.size(), in))
    times.starts.push_back(last = plus(last, zigzag_decode(start)));
  times.model = in.byte();
  if (times.model > kAgainstPlace) in.fail();
  if (in.ok()) times.steps = decode_integers(count - events.runs.size(), in);
  return times;
}

std::array<std::array<Integers, kMaxTraceArguments>, kTraceTypes> split_arguments(const TraceColumns& events) {
  std::array<std::array<Integers, kMaxTraceArguments>, kTraceTypes> columns;
  const uint64_t* argument = events.arguments.data();
  for (const TraceType type : events.type)
    for (uint8_t i = 0; i < trace_shape(type).argument_count; ++i)
      columns[static_cast<size_t>(type)][i].push_back(*argument++);
  return columns;
}

Integers differences(const Integers& values) {
  Integers result(values.size());
  uint64_t last = 0;
  for (size_t i = 0; i < values.size(); ++i)
    result[i] = zigzag_encode(static_cast<int64_t>(values[i] - std::exchange(last, values[i])));
  return result;
}

void encode_arguments(const TraceColumns& events, ByteWriter& out) {
  if (events.arguments.empty()) return;
  for (const auto& columns : split_arguments(events))
    for (const Integers& values : columns) {
      if (values.empty()) break;
      const Integers changes = differences(values);
      const bool differ = cost(changes) < cost(values);
      out.byte(differ ? kDifferences : kValues);
      encode(differ ? changes : values, out);
    }
}

bool decode_arguments(TraceColumns& events, ByteReader& in) {
  std::array<size_t, kTraceTypes> counts{};
  size_t total = 0;
  for (const TraceType type : events.type) {
    ++counts[static_cast<size_t>(type)];
    total += trace_shape(type).argument_count;
  }
  if (total == 0) return true;
  std::array<std::array<Integers, kMaxTraceArguments>, kTraceTypes> columns;
  for (size_t type = 0; type < kTraceTypes; ++type)
    for (uint8_t i = 0; counts[type] && i < trace_shape(static_cast<TraceType>(type)).argument_count; ++i) {
      const uint8_t model = in.byte();
      if (model > kDifferences) return false;
      Integers& values = columns[type][i];
      values = decode_integers(counts[type], in);
      if (!in.ok()) return false;
      if (model == kValues) continue;
      uint64_t last = 0;
      for (uint64_t& value : values) value = last += static_cast<uint64_t>(zigzag_decode(value));
    }
  events.arguments.reserve(total);
  std::array<size_t, kTraceTypes> next{};
  for (const TraceType type : events.type) {
    const size_t t = static_cast<size_t>(type);
    for (uint8_t i = 0; i < trace_shape(type).argument_count; ++i) events.arguments.push_back(columns[t][i][next[t]]);
    ++next[t];
  }
  return true;
}

// The events' tokens and times, which share the predictor's places.
bool fill(TraceColumns& events, size_t count, TokenReader& tokens, const Times& times) {
  events.type.resize(count);
  events.id.resize(count);
  events.time_ns.resize(count);
  TracePredictor predictor;
  size_t i = 0, run_number = 0;
  const uint64_t* step = times.steps.data();
  for (const TraceRun& run : events.runs) {
    int64_t time = times.starts[run_number++];
    const size_t begin = i;
    for (const size_t end = begin + run.count; i < end; ++i) {
      TracePredictor::Place& place = predictor.place();
      const TraceToken token = tokens.next(place);
      if (i != begin) {
        int64_t change = times.model == kAscending ? static_cast<int64_t>(*step) : zigzag_decode(*step);
        ++step;
        if (times.model == kAgainstPlace) place.step = change = plus(change, place.step);
        time = plus(time, change);
      }
      events.type[i] = static_cast<TraceType>(token >> 32);
      events.id[i] = static_cast<uint32_t>(token);
      events.time_ns[i] = time;
      predictor.advance(token);
    }
    if (!tokens.ok()) return false;
  }
  return true;
}

}  // namespace

std::string encode_trace(const TraceColumns& events) {
  ByteWriter out;
  out.varint(events.size());
  encode_runs(events, out);
  const Steps steps = steps_of(events);
  const Predicted predicted = predict(events, steps.steps);
  encode_tokens(events, predicted, out);
  encode_times(steps, predicted.steps, out);
  encode_arguments(events, out);
  return out.take();
}

std::optional<TraceColumns> decode_trace(std::string_view bytes) {
  ByteReader in(bytes);
  TraceColumns events;
  const uint64_t count = in.varint();
  if (count == 0 || count > kMaxTraceBlockEvents || !decode_runs(count, events, in)) return std::nullopt;
  TokenReader tokens(count, in);
  if (!tokens.ok()) return std::nullopt;
  const Times times = decode_times(events, count, in);
  if (!in.ok() || !fill(events, count, tokens, times)) return std::nullopt;
  if (!decode_arguments(events, in) || !in.finished()) return std::nullopt;
  return events;
}

}  // namespace pycroscope

#include "daemon/store/block_codec.h"

#include <algorithm>

#include "daemon/store/id_column.h"
#include "daemon/store/time_column.h"

namespace pycroscope {
namespace {

std::vector<uint32_t> restore_ids(const RankedIds& ids) {
  std::vector<uint32_t> restored(ids.ranks.size());
  std::ranges::transform(ids.ranks, restored.begin(), [&](uint32_t rank) { return ids.dictionary[rank]; });
  return restored;
}

std::vector<int64_t> in_microseconds(const std::vector<int64_t>& times_ns) {
  std::vector<int64_t> times(times_ns.size());
  std::ranges::transform(times_ns, times.begin(), [](int64_t ns) { return ns / 1000; });
  return times;
}

// False when a time cannot be one: its nanoseconds do not fit in 64 bits.
bool to_nanoseconds(std::vector<int64_t>& times) {
  return std::ranges::all_of(times, [](int64_t& time) { return !__builtin_mul_overflow(time, 1000, &time); });
}

}  // namespace

std::string encode_block(const SampleColumns& samples, Effort effort) {
  ByteWriter out;
  out.varint(samples.size());
  RankedIds threads = rank_ids(samples.thread);
  encode_ids(threads, effort, out);
  std::vector<uint64_t> integers(samples.size());
  std::ranges::transform(samples.weight_ns, integers.begin(), zigzag_encode);
  encode_integers(integers, effort, out);
  encode_times(in_microseconds(samples.time_ns), samples.weight_ns, threads, effort, out);
  encode_ids(rank_ids(samples.stack), effort, out);
  encode_ids(rank_ids(samples.label_set), effort, out);
  std::ranges::transform(samples.truncated, integers.begin(), [](uint8_t flag) { return uint64_t{flag != 0}; });
  encode_integers(integers, effort, out);
  return out.take();
}

std::optional<SampleColumns> decode_block(std::string_view bytes) {
  ByteReader in(bytes);
  uint64_t count = in.varint();
  if (!in.ok() || count == 0 || count > kMaxBlockSamples) return std::nullopt;
  SampleColumns samples;
  RankedIds threads = decode_ids(count, in);
  if (!in.ok()) return std::nullopt;
  samples.thread = restore_ids(threads);
  samples.weight_ns.resize(count);
  std::ranges::transform(decode_integers(count, in), samples.weight_ns.begin(), zigzag_decode);
  samples.time_ns = decode_times(samples.weight_ns, threads, in);
  samples.stack = restore_ids(decode_ids(count, in));
  samples.label_set = restore_ids(decode_ids(count, in));
  samples.truncated.resize(count);
  std::ranges::transform(decode_integers(count, in), samples.truncated.begin(),
                         [](uint64_t flag) { return static_cast<uint8_t>(flag != 0); });
  if (!in.finished() || !to_nanoseconds(samples.time_ns)) return std::nullopt;
  return samples;
}

BlockSummary summarize(const SampleColumns& samples) {
  auto [min, max] = std::ranges::minmax(samples.time_ns);
  return {static_cast<uint32_t>(samples.size()), samples.time_ns[0] / 1000, min / 1000, max / 1000};
}

}  // namespace pycroscope

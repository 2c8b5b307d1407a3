#include "daemon/store/time_column.h"

namespace pycroscope {
namespace {

constexpr uint8_t kPreviousTime = 0;  // on disk, as the two below: DO NOT CHANGE
constexpr uint8_t kMaxModel = 16;
constexpr int64_t kOffGridNs = 64'000;

// Arithmetic modulo 2^64: times from a damaged or hostile block may be anything.
constexpr int64_t add(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
constexpr int64_t subtract(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}
constexpr int64_t middle_ns(int64_t time_us) {
  return static_cast<int64_t>(static_cast<uint64_t>(time_us) * 1000 + 500);
}

class Predictor {
 public:
  Predictor(uint8_t model, size_t threads) : shift_(model - 1), clocks_(model == kPreviousTime ? 0 : threads) {}

  int64_t predict(uint32_t thread, int64_t weight_ns) {
    if (clocks_.empty() || !clocks_[thread].running) return previous_us_;
    predicted_ns_ = add(clocks_[thread].phase_ns, weight_ns);
    return predicted_ns_ / 1000;
  }

  void saw(uint32_t thread, int64_t time_us) {
    previous_us_ = time_us;
    if (clocks_.empty()) return;
    Clock& clock = clocks_[thread];
    int64_t time_ns = middle_ns(time_us);
    int64_t error_ns = subtract(time_ns, predicted_ns_);
    bool on_grid = clock.running && error_ns < kOffGridNs && error_ns > -kOffGridNs;
    clock.phase_ns = on_grid ? add(predicted_ns_, error_ns >> shift_) : time_ns;
    clock.running = true;
  }

 private:
  struct Clock {
    int64_t phase_ns = 0;
    bool running = false;
  };
  int shift_;
  std::vector<Clock> clocks_;
  int64_t previous_us_ = 0;
  int64_t predicted_ns_ = 0;
};

}  // namespace

void encode_times(std::span<const int64_t> times_us, std::span<const int64_t> weights_ns, const RankedIds& threads,
                  Effort effort, ByteWriter& out) {
  static constexpr uint8_t kQuickModels[] = {3};
  static constexpr uint8_t kThoroughModels[] = {kPreviousTime, 1, 3, 5};
  std::string best;
  std::vector<uint64_t> errors(times_us.size());
  for (uint8_t model : effort == Effort::kQuick ? std::span<const uint8_t>(kQuickModels) : kThoroughModels) {
    Predictor predictor(model, threads.dictionary.size());
    for (size_t i = 0; i < times_us.size(); ++i) {
      int64_t predicted = predictor.predict(threads.ranks[i], weights_ns[i]);
      errors[i] = zigzag_encode(subtract(times_us[i], predicted));
      predictor.saw(threads.ranks[i], times_us[i]);
    }
    ByteWriter candidate;
    candidate.byte(model);
    encode_integers(errors, effort, candidate);
    if (best.empty() || candidate.size() < best.size()) best = candidate.take();
  }
  out.bytes(best);
}

std::vector<int64_t> decode_times(std::span<const int64_t> weights_ns, const RankedIds& threads, ByteReader& in) {
  uint8_t model = in.byte();
  if (model > kMaxModel) in.fail();
  if (!in.ok()) return {};
  std::vector<uint64_t> errors = decode_integers(weights_ns.size(), in);
  if (!in.ok()) return {};
  Predictor predictor(model, threads.dictionary.size());
  std::vector<int64_t> times(errors.size());
  for (size_t i = 0; i < times.size(); ++i) {
    times[i] = add(predictor.predict(threads.ranks[i], weights_ns[i]), zigzag_decode(errors[i]));
    predictor.saw(threads.ranks[i], times[i]);
  }
  return times;
}

}  // namespace pycroscope

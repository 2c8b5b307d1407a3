// What the store's tests share: a store in a directory of its own, and samples as a sampled program would yield them.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "analysis/model/events.h"
#include "daemon/store/store.h"

namespace pycroscope {

class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "pyc-store-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
  }
  ~StoreTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  Store store() const { return *Store::open(directory_ / "store"); }
  std::filesystem::path session_path(const std::string& id) const { return directory_ / "store/sessions" / id; }
  std::unique_ptr<SessionWriter> create(const std::string& name = "") const {
    v1::Session session;
    session.set_name(name);
    auto writer = store().create(session, self_);
    EXPECT_TRUE(writer) << writer.error().message;
    return *std::move(writer);
  }

  StoreUser self_{::geteuid(), ::getegid()};
  std::filesystem::path directory_;
};

inline SampleColumns read_all(const EventReader& reader, const EventFilter& filter = {}) {
  SampleColumns all;
  EXPECT_TRUE(reader.samples(filter, [&](const SampleColumns& batch) {
    for (size_t i = 0; i < batch.size(); ++i) all.push_back(batch.at(i));
  }));
  return all;
}

inline SampleColumns in_whole_microseconds(SampleColumns samples) {
  for (int64_t& time : samples.time_ns) time = time / 1000 * 1000;
  return samples;
}

inline void expect_equal(const SampleColumns& a, const SampleColumns& b) {
  EXPECT_EQ(a.time_ns, b.time_ns);
  EXPECT_EQ(a.thread, b.thread);
  EXPECT_EQ(a.stack, b.stack);
  EXPECT_EQ(a.label_set, b.label_set);
  EXPECT_EQ(a.weight_ns, b.weight_ns);
  EXPECT_EQ(a.truncated, b.truncated);
}

// `count` distinct stacks of about `depth` frames in `symbols`, and a thread.
inline std::vector<StackId> make_stacks(Symbols& symbols, size_t count, unsigned seed = 1) {
  std::mt19937 random(seed);
  FileId file = symbols.intern_file(symbols.intern_string("/srv/app/main.py"));
  std::vector<StackId> stacks;
  StackId base{};
  for (uint32_t i = 0; stacks.size() < count; ++i) {
    if (i % 8 == 0 && !stacks.empty()) base = stacks[random() % stacks.size()];
    StringId name = symbols.intern_string("Handler.step_" + std::to_string(i));
    FunctionId function = symbols.intern_function({name, file, i * 10 + 1});
    base = symbols.intern_stack(base, symbols.intern_location({function, i * 10 + 4, int32_t(i % 50) * 2}));
    stacks.push_back(base);
  }
  return stacks;
}

enum class Workload {
  kPhases,   // loops over a few of Zipf-distributed stacks, the set of which changes every few seconds
  kUniform,  // each sample any stack: no program does this, it is the worst case
};

// One thread of a busy program at 1 kHz: ticks on a grid of its CPU time, which the timer's interrupt meets a few
// microseconds late, and from time to time somebody else has the CPU.
class SampledProgram {
 public:
  SampledProgram(Workload workload, std::vector<StackId> stacks, ThreadId thread, unsigned seed = 7)
      : workload_(workload), stacks_(std::move(stacks)), thread_(thread), random_(seed) {}

  Sample next() {
    constexpr int64_t kPeriodNs = 1'000'000;
    grid_ns_ += kPeriodNs;
    if (random_() % 250 == 0) grid_ns_ += 100'000 + static_cast<int64_t>(random_() % 4'000'000);
    std::exponential_distribution<double> late(1 / 2'000.0);
    int64_t time = grid_ns_ + 1'500 + static_cast<int64_t>(late(random_));
    return {time, thread_, next_stack(), LabelSetId{}, kPeriodNs, false};
  }

 private:
  StackId next_stack() {
    if (workload_ == Workload::kUniform) return stacks_[random_() % stacks_.size()];
    if (random_() % 3'000 == 0 || phase_.empty()) {
      phase_.clear();
      for (int i = 0; i < 60; ++i) phase_.push_back(zipf());
    }
    if (random_() % 20 == 0) return stacks_[zipf()];
    // Within a phase mostly a few hot stacks, often the one of the last tick.
    if (random_() % 4 == 0) return stacks_[last_];
    std::geometric_distribution<size_t> rank(0.08);
    last_ = phase_[std::min(rank(random_), phase_.size() - 1)];
    return stacks_[last_];
  }

  size_t zipf() {
    double u = std::uniform_real_distribution<double>(0, 1)(random_);
    auto n = static_cast<double>(stacks_.size());
    return std::min(static_cast<size_t>(std::pow(n, u)) - 1, stacks_.size() - 1);
  }

  Workload workload_;
  std::vector<StackId> stacks_;
  ThreadId thread_;
  std::mt19937_64 random_;
  int64_t grid_ns_ = 0;
  std::vector<size_t> phase_;
  size_t last_ = 0;
};

inline ThreadId make_thread(Symbols& symbols) {
  ProcessId process = symbols.intern_process({4711, symbols.intern_string("python3 main.py")});
  return symbols.add_thread(process, 4711, symbols.intern_string("MainThread"));
}

}  // namespace pycroscope

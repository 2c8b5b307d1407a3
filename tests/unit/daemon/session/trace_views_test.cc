// Views of traces are what a naive look at each event says, whatever they are made of: stored sums, events, or both.
#include <gtest/gtest.h>

#include <random>

#include "analysis/passes/pass.h"
#include "analysis/passes/rows.h"
#include "daemon/store/tally_codec.h"
#include "daemon/store/trace_codec.h"
#include "daemon/store/trace_log.h"
#include "tests/unit/support/memory_events.h"
#include "tests/unit/support/naive_trace.h"
#include "tests/unit/support/trace_program.h"

namespace pycroscope {
namespace {

using test::Figures;
using test::NaiveTrace;
using test::Rows;

// A trace as a store has it: blocks and buckets went through their codecs.
class LoggedTrace : public test::MemoryEvents {
 public:
  explicit LoggedTrace(uint64_t bucket_events) : log_(mutable_symbols(), bucket_events) {
    v1::RecordingConfig& config = *mutable_session().mutable_config();
    config.set_mode(v1::SAMPLE_MODE_UNSPECIFIED);
    for (const char* what : {"call", "line", "instruction", "memory", "object"}) config.add_trace(what);
  }

  void log(const TraceColumns& slice, int64_t to_ns) {
    log_.add(slice, to_ns);
    mutable_session().set_duration_ns(to_ns);
  }
  void finish() {
    TracePart part = log_.finish();
    for (const TraceBlock& block : part.blocks) {
      places_.push_back({block.number, summarize(block.events)});
      blocks_[block.number] = encode_trace(block.events);
    }
    for (const NumberedBucket& b : part.buckets) {
      buckets_[b.level].push_back({b.level, b.number, b.summary});
      stored_[{b.level, b.number}] = encode_bucket(b.bucket);
    }
  }
  // Only events are left of it.
  void forget_buckets() {
    for (auto& level : buckets_) level.clear();
  }
  void forget_bucket(size_t number) { buckets_[0].erase(buckets_[0].begin() + static_cast<ptrdiff_t>(number)); }

  std::span<const TraceBlockPlace> trace_blocks() const override { return places_; }
  std::optional<TraceColumns> trace_block(const TraceBlockPlace& place) const override {
    return decode_trace(blocks_.at(place.number));
  }
  std::span<const BucketPlace> buckets(uint32_t level) const override { return buckets_[level]; }
  std::optional<TallyBucket> bucket(const BucketPlace& place) const override {
    return decode_bucket(stored_.at({place.level, place.number}), symbols().mark());
  }

 private:
  TraceLog log_;
  std::vector<TraceBlockPlace> places_;
  std::map<uint32_t, std::string> blocks_;
  std::array<std::vector<BucketPlace>, kBucketLevels> buckets_;
  std::map<std::pair<uint32_t, uint32_t>, std::string> stored_;
};

v1::View view_of(const EventReader& reader, v1::ViewKind kind, const v1::ViewFilter& filter) {
  v1::ViewRequest request;
  request.set_kind(kind);
  *request.mutable_filter() = filter;
  request.set_refine(true);
  if (kind == v1::VIEW_KIND_TREE) request.add_group_by("none");  // processes are not told apart
  auto view = compute_view(reader, request);
  EXPECT_TRUE(view) << view.error().message;
  return view ? *view : v1::View();
}

std::string text_of(const v1::View& view, int row, std::string_view key) {
  const auto column = find_column(view.header().kind(), key);
  const Cell c = cell(view, row, **column);
  if (const auto* text = std::get_if<std::string>(&c)) return *text;
  if (const auto* number = std::get_if<uint64_t>(&c)) return std::to_string(*number);
  if (const auto* number = std::get_if<int64_t>(&c)) return std::to_string(*number);
  return "-";
}

int64_t number_of(const v1::View& view, int row, std::string_view key) {
  const std::string text = text_of(view, row, key);
  return text == "-" ? 0 : std::stoll(text);
}

// "name:line" of a row, "-" without a frame. C functions are called without their module.
std::string function_of(const v1::View& view, int row, std::string_view key = "function") {
  std::string name = text_of(view, row, key);
  return name.substr(0, name.find(" ("));
}
std::string place_of(const v1::View& view, int row, const std::string& prefix = "") {
  const std::string name = function_of(view, row, prefix + "function");
  const std::string line = text_of(view, row, prefix + "line");
  return name == "-" ? "-" : name + ":" + (line == "-" ? "0" : line);
}

using Keys = std::vector<std::pair<std::string, std::string>>;  // of the view's row, of the naive figures

// The figures of a view by what `name` calls a row; zeros are left out.
template <class Name>
std::map<std::string, Figures> figures(const v1::View& view, const Keys& keys, Name name) {
  std::map<std::string, Figures> result;
  for (int row = 0; row < row_count(view); ++row)
    for (const auto& [key, naive] : keys)
      if (const int64_t n = number_of(view, row, key)) result[name(row)][naive] += n;
  return result;
}

std::map<std::string, Figures> without_zeros(const std::map<std::string, Figures>& all, const Keys& keys) {
  std::map<std::string, Figures> result;
  for (const auto& [name, row] : all)
    for (const auto& [view_key, key] : keys)
      if (const auto it = row.find(key); it != row.end() && it->second != 0) result[name][key] = it->second;
  return result;
}

class TraceViews {
 public:
  TraceViews(const EventReader& reader, const NaiveTrace& naive, const v1::ViewFilter& filter)
      : reader_(reader), naive_(naive), filter_(filter) {}

  void compare() {
    expect(v1::VIEW_KIND_FUNCTIONS, naive_.functions,
           {{"calls", "calls"}, {"self_ns", "self_ns"}, {"total_ns", "total_ns"}, {"alloc_bytes", "alloc_bytes"}},
           [](const v1::View& v, int row) { return function_of(v, row); });
    expect(v1::VIEW_KIND_LINES, naive_.lines,
           {{"hits", "hits"}, {"self_ns", "self_ns"}, {"total_ns", "total_ns"}, {"alloc_bytes", "alloc_bytes"}},
           [](const v1::View& v, int row) { return place_of(v, row); });
    expect(v1::VIEW_KIND_INSTRUCTIONS, naive_.instructions, {{"hits", "instructions"}, {"self_ns", "self_ns"}},
           [](const v1::View& v, int row) { return place_of(v, row) + "+" + text_of(v, row, "offset"); });
    expect(v1::VIEW_KIND_THREADS, naive_.threads, {},
           [](const v1::View& v, int row) { return text_of(v, row, "name"); });
    expect(v1::VIEW_KIND_EXCEPTIONS, naive_.exceptions,
           {{"raised", "raised"}, {"frames_unwound", "unwound"}, {"cost_ns", "cost_ns"}},
           [](const v1::View& v, int row) {
             return text_of(v, row, "type") + " " + place_of(v, row) + " " + place_of(v, row, "caught_");
           });
    compare_edges();
    compare_tree();
    compare_memory();
    compare_objects();
    compare_lists();
  }

 private:
  template <class Name>
  v1::View expect(v1::ViewKind kind, const std::map<std::string, Figures>& naive, const Keys& keys, Name name) {
    const v1::View view = view_of(reader_, kind, filter_);
    EXPECT_EQ(figures(view, keys, [&](int row) { return name(view, row); }), without_zeros(naive, keys))
        << view_kind_name(kind);
    return view;
  }

  void compare_edges() {
    // Callees: what `function` calls.
    expect(
        v1::VIEW_KIND_CALLEES, naive_.edges, {{"calls", "calls"}, {"total_ns", "total_ns"}},
        [](const v1::View& v, int row) { return function_of(v, row) + ">" + function_of(v, row, "other_function"); });
  }

  void compare_tree() {
    const v1::View view = view_of(reader_, v1::VIEW_KIND_TREE, filter_);
    std::vector<std::string> paths(static_cast<size_t>(row_count(view)));
    for (int row = 1; row < row_count(view); ++row) {
      const auto parent = static_cast<size_t>(view.tree().parent(row));
      const std::string place = view.tree().label_string(row) ? function_of(view, row) : place_of(view, row);
      paths[static_cast<size_t>(row)] = paths[parent] + "/" + place;
    }
    const Keys keys = {{"calls", "calls"}, {"self_ns", "self_ns"}, {"total_ns", "total_ns"}};
    EXPECT_EQ(figures(view, keys, [&](int row) { return paths[static_cast<size_t>(row)]; }),
              without_zeros(naive_.tree, keys));
  }

  void compare_memory() {
    const Keys keys = {
        {"allocations", "allocations"}, {"bytes", "bytes"},           {"frees", "frees"},
        {"live_count", "live_count"},   {"live_bytes", "live_bytes"}, {"temporary_count", "temporary_count"}};
    const auto name = [](const v1::View& v, int row) { return text_of(v, row, "type") + " " + place_of(v, row); };
    const v1::View view = expect(v1::VIEW_KIND_ALLOCATIONS, naive_.allocations, keys, name);
    std::map<std::string, Figures> peaks;
    for (const auto& [process, sites] : naive_.at_peak)
      for (const auto& [site, bytes] : sites)
        if (bytes != 0) peaks[site]["peak"] += bytes;
    EXPECT_EQ(figures(view, {{"peak_bytes", "peak"}}, [&](int row) { return name(view, row); }), peaks);
    compare_curve();
  }

  void compare_curve() {
    const v1::View view = view_of(reader_, v1::VIEW_KIND_MEMORY, filter_);
    EXPECT_TRUE(row_count(view) > 0 || naive_.live.empty());
    // The end of a slot: the value after the last change before it.
    for (int row = 0; row < row_count(view); ++row) {
      if (view.memory().python_bytes(row) < 0) continue;
      const bool has_many = !view.memory().process().empty();
      const uint32_t process = has_many ? view.memory().process(row) - 1 : 0;
      const auto of =
          has_many ? static_cast<uint32_t>(view.symbols().processes().pid(static_cast<int>(process)) - 100) : 0;
      const auto start = naive_.live_at_start.find(of);
      int64_t bytes = start == naive_.live_at_start.end() ? 0 : start->second;
      for (const auto& [at, live] : naive_.live)
        if (at.second == of && at.first < view.memory().time_ns(row)) bytes = live;
      EXPECT_EQ(view.memory().python_bytes(row), bytes) << "process " << of << " at " << view.memory().time_ns(row);
    }
  }

  void compare_objects() {
    const v1::View view =
        expect(v1::VIEW_KIND_OBJECTS, naive_.objects,
               {{"count", "count"}, {"bytes", "bytes"}, {"alive", "alive"}, {"refcount_seen_max", "refcount"}},
               [](const v1::View& v, int row) { return text_of(v, row, "type") + " " + place_of(v, row); });
    for (int row = 0; row < row_count(view); ++row) {
      const auto it = naive_.lifetimes.find(text_of(view, row, "type") + " " + place_of(view, row));
      std::vector<uint16_t> places;
      if (it != naive_.lifetimes.end())
        for (const auto& [place, count] : it->second) places.insert(places.end(), count, place);
      const auto quantile = [&](double share) -> int64_t {
        if (places.empty()) return -1;
        return static_cast<int64_t>(
            longest_of_place(places[static_cast<size_t>(share * static_cast<double>(places.size() - 1))]));
      };
      EXPECT_EQ(view.objects().lifetime_p50_ns(row), quantile(0.5));
      EXPECT_EQ(view.objects().lifetime_p99_ns(row), quantile(0.99));
    }
  }

  void compare_lists() {
    const v1::View gc = view_of(reader_, v1::VIEW_KIND_GC, filter_);
    Rows rows;
    for (int row = 0; row < row_count(gc); ++row) {
      std::string text;
      for (const char* key : {"time_ns", "generation", "pause_ns", "collected", "uncollectable"})
        text += text_of(gc, row, key) + " ";
      rows.insert(text + place_of(gc, row));
    }
    EXPECT_EQ(rows, naive_.gc);
    const v1::View imports = view_of(reader_, v1::VIEW_KIND_IMPORTS, filter_);
    rows.clear();
    for (int row = 0; row < row_count(imports); ++row)
      rows.insert(text_of(imports, row, "module") + " " + text_of(imports, row, "self_ns") + " " +
                  text_of(imports, row, "total_ns"));
    EXPECT_EQ(rows, naive_.imports);
  }

  const EventReader& reader_;
  const NaiveTrace& naive_;
  const v1::ViewFilter& filter_;
};

struct Recorded {
  explicit Recorded(uint64_t seed) : random(seed), reader(3000 + random() % 5000) {
    test::TraceProgram program(reader.mutable_symbols(), options(seed));
    const size_t count = 5 + random() % 25;
    for (size_t i = 0; i < count; ++i) {
      slices.push_back(program.slice(end_ns));
      reader.log(slices.back(), end_ns);
    }
    reader.finish();
  }

  test::TraceProgramOptions options(uint64_t seed) {
    return {.seed = seed,
            .functions = 5 + static_cast<uint32_t>(random() % 60),
            .threads = 1 + static_cast<uint32_t>(random() % 4),
            .processes = 1 + static_cast<uint32_t>(random() % 2),
            .max_depth = 3 + static_cast<uint32_t>(random() % 30),
            .lines = random() % 4 != 0,
            .instructions = random() % 3 == 0,
            .memory = random() % 3 != 0,
            .rare = random() % 3 != 0,
            .slice_events = 500 + static_cast<uint32_t>(random() % 2000)};
  }

  // A random part of it; the whole for the first.
  std::pair<v1::ViewFilter, test::NaiveRequest> part(bool whole) {
    v1::ViewFilter filter;
    test::NaiveRequest request;
    if (!whole) {
      auto a = static_cast<int64_t>(random() % static_cast<uint64_t>(end_ns));
      auto b = static_cast<int64_t>(random() % static_cast<uint64_t>(end_ns));
      request.from_ns = std::min(a, b);
      request.to_ns = std::max(a, b) + 1;
      filter.set_from_ns(request.from_ns);
      filter.set_to_ns(request.to_ns);
      if (random() % 3 == 0) filter.add_threads(request.thread = "thread0");
      if (random() % 3 == 0) {
        request.function = "function" + std::to_string(random() % 8);
        filter.set_function_regex("^" + request.function + "$");
      }
      if (random() % 4 == 0) (*filter.mutable_labels())["request"] = request.request = "/1";
    }
    return {filter, request};
  }

  std::mt19937_64 random;
  LoggedTrace reader;
  std::vector<TraceColumns> slices;
  int64_t end_ns = 0;
};

class TraceViewsTest : public testing::TestWithParam<uint64_t> {};

TEST_P(TraceViewsTest, AreWhatANaiveLookSays) {
  for (uint64_t seed = GetParam() * 20; seed < (GetParam() + 1) * 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Recorded recorded(seed);
    for (int i = 0; i < 4; ++i) {
      const auto [filter, request] = recorded.part(i == 0);
      SCOPED_TRACE(filter.ShortDebugString());
      NaiveTrace naive(recorded.reader.symbols(), request);
      for (const TraceColumns& slice : recorded.slices) naive.add(slice);
      naive.run(recorded.end_ns);
      if (i == 2 && recorded.reader.buckets(0).size() > 2) recorded.reader.forget_bucket(recorded.random() % 2);
      if (i == 3) recorded.reader.forget_buckets();
      TraceViews(recorded.reader, naive, filter).compare();
      if (testing::Test::HasFailure()) return;
    }
  }
}

// 200 sessions.
INSTANTIATE_TEST_SUITE_P(Sessions, TraceViewsTest, testing::Range(uint64_t{0}, uint64_t{10}));

}  // namespace
}  // namespace pycroscope

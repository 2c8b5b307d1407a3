// What the event log costs and how small it is. One JSON object on stdout.
//
//   bench_event_log rates [FILE]              encodes, stores, adds up and reads again what made-up programs do, or
//                                             what was recorded into a file
//   bench_event_log session STORE EVENTS      records a session of so many events and asks it for views
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "analysis/model/trace_tally.h"
#include "analysis/passes/pass.h"
#include "daemon/os/clock.h"
#include "daemon/session/event_page.h"
#include "daemon/store/store.h"
#include "daemon/store/trace_codec.h"
#include "tests/unit/support/recorded_trace.h"
#include "tests/unit/support/trace_program.h"

namespace pycroscope {
namespace {

struct Slice {
  TraceColumns events;
  int64_t to_ns = 0;
};

uint64_t count(const std::vector<Slice>& slices) {
  uint64_t events = 0;
  for (const Slice& s : slices) events += s.events.size();
  return events;
}

std::vector<Slice> made_up(Symbols& symbols, uint64_t events) {
  test::TraceProgram program(
      symbols, {.seed = 7, .functions = 300, .threads = 1, .memory = false, .rare = false, .slice_events = 60000});
  std::vector<Slice> slices;
  for (uint64_t total = 0; total < events; total += slices.back().events.size()) {
    slices.emplace_back();
    slices.back().events = program.slice(slices.back().to_ns);
  }
  return slices;
}

std::vector<Slice> recorded(Symbols& symbols, const std::string& path) {
  test::RecordedTrace trace(symbols, path);
  std::vector<Slice> slices;
  for (;;) {
    Slice s;
    s.events = trace.slice(60000, s.to_ns);
    if (s.events.size() == 0) return slices;
    slices.push_back(std::move(s));
  }
}

// The least CPU time of some rounds, in seconds.
double seconds(const std::function<void()>& work) {
  int64_t best = INT64_MAX;
  for (int round = 0; round < 5; ++round) {
    const int64_t begin = thread_cpu_ns();
    work();
    best = std::min(best, thread_cpu_ns() - begin);
  }
  return static_cast<double>(best) / 1e9;
}

[[noreturn]] void die(const std::string& sentence) {
  fmt::print(stderr, "bench_event_log: {}\n", sentence);
  std::exit(1);
}

template <class T>
T check(Result<T> result) {
  if (!result) die(result.error().message);
  return std::move(*result);
}

v1::Session described() {
  v1::Session session;
  session.mutable_config()->set_mode(v1::SAMPLE_MODE_UNSPECIFIED);
  for (const char* what : {"call", "line", "memory", "object", "gc", "import", "exception"})
    session.mutable_config()->add_trace(what);
  return session;
}

// Records the slices into a session of its own, again and again until there are `events`; CPU time of all threads.
double store_seconds(const std::function<std::vector<Slice>(Symbols&)>& make, uint64_t& events) {
  const auto directory = std::filesystem::temp_directory_path() / fmt::format("bench_event_log.{}", ::getpid());
  Store store = check(Store::open(directory));
  auto writer = check(store.create(described(), {::getuid(), ::getgid()}));
  const std::vector<Slice> slices = make(writer->symbols());
  const int64_t begin = thread_cpu_ns() + writer->cpu_ns();
  for (const Slice& s : slices) {
    writer->add_trace(s.events, s.to_ns);
    writer->set_duration(s.to_ns);
  }
  if (!writer->finish(v1::SESSION_STATE_COMPLETE)) die("cannot finish the session");
  const int64_t end = thread_cpu_ns() + writer->cpu_ns();
  events = count(slices);
  writer.reset();
  std::filesystem::remove_all(directory);
  return static_cast<double>(end - begin) / 1e9;
}

void rates(const std::function<std::vector<Slice>(Symbols&)>& make) {
  Symbols symbols;
  const std::vector<Slice> slices = make(symbols);
  const auto events = static_cast<double>(count(slices));
  std::vector<std::string> blocks;
  const double encoding = seconds([&] {
    blocks.clear();
    for (const Slice& s : slices) blocks.push_back(encode_trace(s.events));
  });
  size_t bytes = 0;
  for (size_t i = 0; i < blocks.size(); ++i) {
    bytes += blocks[i].size();
    if (decode_trace(blocks[i]) != slices[i].events) die("a block is not decoded as it was encoded");
  }
  uint64_t calls = 0;
  const double scanning = seconds([&] {
    for (const std::string& block : blocks) {
      const auto decoded = decode_trace(block);
      for (const TraceType type : decoded->type) calls += is_entry(type);
    }
  });
  const double adding = seconds([&] {
    TraceTallier tallier(symbols, [&](const StackStep& step) {
      return std::optional(symbols.intern_stack(step.parent, symbols.intern_location(step.location)));
    });
    Tally tally;
    for (const Slice& s : slices) static_cast<void>(tallier.add(s.events, tally));
  });
  uint64_t stored = 0;
  const double storing = store_seconds(make, stored);
  fmt::print(
      "{{\"events\": {}, \"bytes_per_event\": {:.3f}, \"encode_per_s\": {:.0f}, \"scan_per_s\": {:.0f}, "
      "\"add_up_per_s\": "
      "{:.0f}, \"encode_add_up_store_per_s\": {:.0f}, \"stacks\": {}, \"calls\": {}}}\n",
      events, static_cast<double>(bytes) / events, events / encoding, events / scanning, events / adding,
      static_cast<double>(stored) / storing, symbols.mark().stacks, calls / 5);
}

double elapsed_s(const std::function<void()>& work) {
  const int64_t begin = monotonic_ns();
  work();
  return static_cast<double>(monotonic_ns() - begin) / 1e9;
}

uint64_t rss_bytes() {
  uint64_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

// Plays the same stretch of a program over and over, later each time.
void record_session(const std::string& directory, uint64_t events) {
  Store store = check(Store::open(directory));
  auto writer = check(store.create(described(), {::getuid(), ::getgid()}));
  std::vector<Slice> slices = made_up(writer->symbols(), 2'000'000);
  const int64_t length = slices.back().to_ns;
  const uint64_t base = rss_bytes();
  uint64_t peak = 0, done = 0;
  int64_t cpu = thread_cpu_ns(), offset = 0;
  while (done < events) {
    for (Slice& s : slices) {
      writer->add_trace(s.events, s.to_ns);
      writer->set_duration(s.to_ns);
      done += s.events.size();
      peak = std::max(peak, rss_bytes());
      for (int64_t& time : s.events.time_ns) time += length;
      s.to_ns += length;
    }
    static_cast<void>(writer->sync_soon());
    offset += length;
  }
  if (!writer->finish(v1::SESSION_STATE_COMPLETE)) die("cannot finish the session");
  cpu = thread_cpu_ns() - cpu + writer->cpu_ns();
  fmt::print("{{\"events\": {}, \"bytes\": {}, \"rss_growth\": {}, \"cpu_s\": {:.2f}", done, writer->session().bytes(),
             peak - std::min(base, peak), static_cast<double>(cpu) / 1e9);
}

void ask(const std::string& directory) {
  Store store = check(Store::open(directory));
  std::unique_ptr<EventReader> reader;
  const double opening = elapsed_s([&] { reader = check(store.read("latest", {::getuid(), ::getgid()})); });
  double first = 0, zoom = 0, page = 0;
  std::mt19937_64 random(1);
  const int64_t end = reader->session().duration_ns();
  const auto view = [&](v1::ViewKind kind, int64_t from, int64_t to) {
    v1::ViewRequest request;
    request.set_kind(kind);
    request.mutable_filter()->set_from_ns(from);
    request.mutable_filter()->set_to_ns(to);
    return elapsed_s([&] { static_cast<void>(check(compute_view(*reader, request))); });
  };
  for (const v1::ViewKind kind :
       {v1::VIEW_KIND_FUNCTIONS, v1::VIEW_KIND_LINES, v1::VIEW_KIND_TREE, v1::VIEW_KIND_CALLEES, v1::VIEW_KIND_THREADS,
        v1::VIEW_KIND_MEMORY, v1::VIEW_KIND_ALLOCATIONS, v1::VIEW_KIND_GC}) {
    first = std::max(first, view(kind, 0, 0));
    for (int i = 0; i < 12; ++i) {
      const int64_t length = std::max<int64_t>(end >> i, 1000);
      const auto from = static_cast<int64_t>(random() % static_cast<uint64_t>(std::max<int64_t>(end - length, 1)));
      zoom = std::max(zoom, view(kind, from, from + length));
    }
  }
  for (int i = 0; i < 20; ++i) {
    v1::ListEventsRequest request;
    request.mutable_filter()->set_from_ns(static_cast<int64_t>(random() % static_cast<uint64_t>(end)));
    request.set_page_size(1000);
    page = std::max(page, elapsed_s([&] { static_cast<void>(check(event_page(*reader, request))); }));
  }
  fmt::print(", \"open_s\": {:.4f}, \"first_view_s\": {:.4f}, \"zoom_s\": {:.4f}, \"page_s\": {:.4f}}}\n", opening,
             first, zoom, page);
}

}  // namespace
}  // namespace pycroscope

int main(int argc, char** argv) {
  using namespace pycroscope;
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 1 && words[0] == "rates") {
    rates([](Symbols& symbols) { return made_up(symbols, 8'000'000); });
  } else if (words.size() == 2 && words[0] == "rates") {
    rates([&](Symbols& symbols) { return recorded(symbols, words[1]); });
  } else if (words.size() == 3 && words[0] == "session") {
    record_session(words[1], std::strtoull(words[2].c_str(), nullptr, 10));
    ask(words[1]);
  } else {
    fmt::print(stderr, "usage: bench_event_log rates [RECORDED_TRACE] | session STORE EVENTS\n");
    return 2;
  }
  return 0;
}

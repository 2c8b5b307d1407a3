// How many events two writers on one core lose when all of the daemon has another, and what an event costs on the way.
// A JSON array on stdout, an object for each pace of the writers.
//
//   bench_event_drain SECONDS PACE...      events a second that a writer aims at, 0: as many as it can
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "daemon/collect/trace_drain.h"
#include "daemon/os/clock.h"
#include "daemon/store/store.h"
#include "tests/unit/support/ring.h"
#include "tests/unit/support/trace_program.h"

namespace pycroscope {
namespace {

constexpr uint32_t kSlots = 1u << 20, kDefinitionSlots = 1u << 16;
constexpr int kWriterCpu = 0, kDaemonCpu = 1;
constexpr uint64_t kSettledNs = 20'000'000;  // what is handed on is that old
constexpr uint64_t kMany = 100'000;          // events, that a drain finds only when it is hardly quick enough

[[noreturn]] void die(const std::string& sentence) {
  fmt::print(stderr, "bench_event_drain: {}\n", sentence);
  std::exit(1);
}

template <class T>
T check(Result<T> result) {
  if (!result) die(result.error().message);
  return *std::move(result);
}

void stay_on(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (::sched_setaffinity(0, sizeof set, &set) != 0) die("two CPUs are needed");
}

struct Step {
  uint32_t type, id;
};

// Some calls and lines of a program, all of whose functions have returned at the end. `definitions` gets what it uses.
std::vector<Step> made_up(test::Ring& definitions) {
  Symbols symbols;
  test::TraceProgram program(symbols, {.seed = 3, .functions = 100, .threads = 1, .memory = false, .rare = false});
  std::vector<Step> steps;
  std::vector<uint32_t> entered;
  while (steps.size() < 200'000) {
    int64_t to_ns = 0;
    const TraceColumns slice = program.slice(to_ns);
    for (size_t i = 0; i < slice.size(); ++i) {
      if (!moves(slice.type[i])) continue;
      if (is_entry(slice.type[i])) entered.push_back(slice.id[i]);
      if (is_exit(slice.type[i]) && !entered.empty()) entered.pop_back();
      steps.push_back({static_cast<uint32_t>(slice.type[i]), slice.id[i] + 1});
    }
  }
  for (; !entered.empty(); entered.pop_back()) steps.push_back({PYC_RING_RETURN, entered.back() + 1});
  definitions.define(1, "f");
  definitions.define(2, "/app/a.py");
  for (uint32_t i = 0; i < symbols.mark().functions; ++i)
    definitions.write(PYC_RING_FUNCTION, 0, i + 1, 1, {2, symbols.function(FunctionId{i}).first_line, 0, 0});
  for (uint32_t i = 0; i < symbols.mark().locations; ++i) {
    const Location& location = symbols.location(LocationId{i});
    definitions.write(PYC_RING_LOCATION, 0, i + 1, index(location.function) + 1, {location.line, UINT64_MAX});
  }
  return steps;
}

// Writes the steps over and over at a pace.
void write_events(test::Ring& ring, const std::vector<Step>& steps, uint64_t pace) {
  constexpr size_t kBatch = 200;
  const int64_t begin = monotonic_ns();
  for (uint64_t written = 0;;)
    for (size_t i = 0; i < steps.size(); i += kBatch) {
      const size_t end = std::min(i + kBatch, steps.size());
      for (size_t k = i; k < end; ++k)
        pyc_ring_write(&ring.writer, steps[k].type, static_cast<uint64_t>(monotonic_ns()), steps[k].id, 0, nullptr, 0);
      written += end - i;
      while (pace > 0 && written * 1'000'000'000 / pace > static_cast<uint64_t>(monotonic_ns() - begin))
        ::sched_yield();
    }
}

std::string run(uint64_t pace, double seconds) {
  const auto directory = std::filesystem::temp_directory_path() / fmt::format("bench_event_drain.{}", ::getpid());
  Store store = check(Store::open(directory));
  v1::Session session;
  session.mutable_config()->add_trace("call");
  session.mutable_config()->add_trace("line");
  auto writer = check(store.create(session, {::getuid(), ::getgid()}));
  test::Ring definitions(kDefinitionSlots);
  std::array rings{test::Ring(kSlots), test::Ring(kSlots)};
  const std::vector<Step> steps = made_up(definitions);
  const auto start = static_cast<uint64_t>(monotonic_ns());
  TraceDrain drain(*writer, RingTime{.zero_ns = -static_cast<int64_t>(start)});
  const uint32_t definer = drain.add_process(std::move(definitions.reader));
  const ProcessId process = writer->symbols().intern_process({.pid = 1, .command = {}});
  std::vector<ThreadId> threads;
  for (test::Ring& ring : rings) {
    threads.push_back(writer->symbols().add_thread(process, static_cast<int32_t>(threads.size()) + 1, {}));
    drain.add(threads.back(), std::move(ring.reader), definer);
  }

  const pid_t child = ::fork();
  if (child == 0) {
    stay_on(kWriterCpu);
    std::thread other([&] { write_events(rings[1], steps, pace); });
    write_events(rings[0], steps, pace);
  }
  stay_on(kDaemonCpu);
  const int64_t cpu_before = thread_cpu_ns() + writer->cpu_ns();
  const auto end = start + static_cast<uint64_t>(seconds * 1e9);
  uint64_t now = start, synced = start;
  while ((now = static_cast<uint64_t>(monotonic_ns())) < end) {
    if (drain.drain(now - kSettledNs) < kMany) ::usleep(1000);
    writer->set_duration(static_cast<int64_t>(now - start));
    if (now - synced < 1'000'000'000) continue;
    static_cast<void>(writer->sync_soon());
    synced = now;
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  for (const ThreadId thread : threads) drain.writer_is_gone(thread);
  while (!drain.finished()) drain.drain(UINT64_MAX >> 9);
  if (!writer->finish(v1::SESSION_STATE_COMPLETE)) die("cannot finish the session");
  const auto cpu = static_cast<double>(thread_cpu_ns() + writer->cpu_ns() - cpu_before);
  uint64_t happened = threads.size();  // their ends, which they were killed before they could tell
  for (test::Ring& ring : rings) happened += ring.ring()->head + ring.ring()->lost;
  const v1::Loss& loss = writer->session().loss();
  if (loss.recorded() + loss.lost() != happened) die("events are missing");
  const auto recorded = static_cast<double>(loss.recorded());
  std::filesystem::remove_all(directory);
  return fmt::format(
      "{{\"pace\": {}, \"happened_per_s\": {:.0f}, \"recorded_per_s\": {:.0f}, \"lost_share\": {:.4f}, "
      "\"daemon_ns_per_event\": {:.1f}}}",
      pace, static_cast<double>(happened) / seconds, recorded / seconds,
      static_cast<double>(loss.lost()) / static_cast<double>(happened), cpu / recorded);
}

}  // namespace
}  // namespace pycroscope

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: bench_event_drain SECONDS PACE...\n");
    return 2;
  }
  std::string rows;
  for (int i = 2; i < argc; ++i)
    rows += (rows.empty() ? "" : ",\n ") + pycroscope::run(std::strtoull(argv[i], nullptr, 10), std::atof(argv[1]));
  fmt::print("[{}]\n", rows);
  return 0;
}

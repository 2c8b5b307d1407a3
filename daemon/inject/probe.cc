#include "daemon/inject/probe.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <thread>
#include <utility>

#include "daemon/inject/probe_image.h"
#include "daemon/os/remote_thread.h"
#include "daemon/target/thread_files.h"

namespace pycroscope {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr uint64_t kPage = 4096;
constexpr size_t kBeginning = 64;
constexpr uint64_t kCommandsSize = 2 * kPage;
constexpr uint64_t kControlSize = (sizeof(pyc_probe_control) + kPage - 1) / kPage * kPage;
const uint64_t kDefinitionsSize = pyc_ring_bytes(Probe::kDefinitionSlots),
               kRingSize = pyc_ring_bytes(Probe::kThreadSlots);
// How many children that are forked can be followed at a time, and threads of each.
constexpr uint32_t kChildren = 32, kChildThreads = 16;
uint64_t area_size(uint32_t threads) {
  return kControlSize + pyc_ring_bytes(Probe::kDefinitionSlots) + threads * pyc_ring_bytes(Probe::kThreadSlots);
}
constexpr char kName[] = "pycroscope-rings";
// How long a function of the target may take, and how often and how long a place is looked for where it can be called.
constexpr milliseconds kCallPatience{50}, kRetry{10};
constexpr int kAttempts = 100, kLooks = 3;
// How long Python may take to come to a point where it executes what is pending.
constexpr milliseconds kStartPatience{5000}, kEndPatience{2000}, kQuickEnd{30};
// What main threads are to execute they do not while they are blocked: then another look is for somebody who is.
constexpr milliseconds kAgain{100};
// Without a heartbeat for so long the daemon is gone.
constexpr int64_t kPatienceNs = 1'000'000'000;

// System calls that a thread may be in which then calls something else: none of them holds a lock of the C library.
// What goes on after a stop (restart_syscall) is a sleep, a poll, or a wait with a time limit, which those locks have
// not.
constexpr long kHarmless[] = {SYS_read,     SYS_poll,         SYS_ppoll,          SYS_select,          SYS_pselect6,
                              SYS_recvfrom, SYS_recvmsg,      SYS_accept,         SYS_accept4,         SYS_epoll_wait,
                              SYS_wait4,    SYS_waitid,       SYS_nanosleep,      SYS_clock_nanosleep, SYS_epoll_pwait,
                              SYS_futex,    SYS_epoll_pwait2, SYS_restart_syscall};

bool is_harmless(const StoppedThread::SystemCall& call, const std::vector<MapEntry>& c_library) {
  if (std::ranges::find(kHarmless, call.number) == std::end(kHarmless)) return false;
  if (call.number != SYS_futex) return true;
  // A lock of the C library's own, which it holds or is about to hold, has its word there.
  const RemoteAddress word(call.first_argument);
  return std::ranges::none_of(c_library, [&](const MapEntry& map) { return map.begin <= word && word < map.end; });
}

// A thread that stands still, and whether it is blocked in such a call.
struct Place {
  RemoteThread thread;
  bool is_blocked = false;
};

// One of the threads that are blocked; nothing when there is none.
Result<std::optional<RemoteThread>> find_blocked(const Process& process, const std::vector<MapEntry>& c_library) {
  for (const pid_t tid : thread_ids(process.pid())) {
    const auto files = ThreadFiles::open(process.pid(), tid);
    const auto state = files ? files->state() : std::nullopt;
    if (!state || state->runs || !state->syscall) continue;
    if (!is_harmless({.number = *state->syscall, .first_argument = state->argument}, c_library)) continue;
    auto thread = RemoteThread::stop(process.pid(), tid);
    if (!thread && thread.error().code == ErrorCode::kTargetGone) continue;
    if (!thread) return std::unexpected(std::move(thread).error());
    // It may have gone on meanwhile.
    const auto& call = thread->state().blocked_in;
    if (call && is_harmless(*call, c_library)) return *std::move(thread);
  }
  return std::nullopt;
}

Result<Place> find_place(const Process& process, const std::vector<MapEntry>& c_library) {
  // Who has just been let go is on its way back to where it was blocked.
  for (int look = 0; look < kLooks; ++look) {
    if (look > 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
    PYC_TRY(std::optional<RemoteThread> blocked, find_blocked(process, c_library));
    if (blocked) return Place{*std::move(blocked), true};
  }
  PYC_TRY(RemoteThread thread, RemoteThread::stop(process.pid(), process.pid()));
  return Place{std::move(thread), false};
}

bool forbids_debugging(const Process& process) {
  if (const auto words = process.command())
    for (size_t i = 0; i < words->size(); ++i)
      if ((*words)[i] == "-Xdisable-remote-debug" ||
          (i > 0 && (*words)[i - 1] == "-X" && (*words)[i] == "disable-remote-debug"))
        return true;
  if (const auto environment = process.environment())
    for (const std::string& variable : *environment)
      if (variable.starts_with("PYTHON_DISABLE_REMOTE_DEBUG=") && !variable.ends_with('=')) return true;
  return false;
}

void make_ring(std::span<std::byte> memory, uint32_t slots, pyc_ring_on_full on_full) {
  pyc_ring_make(reinterpret_cast<pyc_ring*>(memory.data()), slots, on_full);
}

pyc_probe_layout probe_layout(const pyc_layout& layout) {
  pyc_probe_layout probe{};
  probe.header = static_cast<uint32_t>(layout.object_type + sizeof(uint64_t));
  probe.object_type = layout.object_type;
  probe.long_tag = layout.long_tag;
  probe.long_digits = layout.long_digits;
  probe.tuple_items = layout.tuple_items;
  if (layout.hook_kind == PYC_HOOK_MONITORING) return probe;
  const auto field = [](uint16_t offset) { return offset == PYC_NO_OFFSET ? 0u : offset; };
  probe.hooks = layout.hook_kind == PYC_HOOK_FRAMES ? PYC_PROBE_FRAMES : PYC_PROBE_EVALUATOR;
  probe.instruction = layout.instr_kind == PYC_INSTR_LASTI_BYTES   ? PYC_PROBE_INSTRUCTION_BYTES
                      : layout.instr_kind == PYC_INSTR_LASTI_UNITS ? PYC_PROBE_INSTRUCTION_UNITS
                                                                   : PYC_PROBE_INSTRUCTION_POINTER;
  probe.interpreter_evaluate = layout.interpreter_evaluate;
  probe.thread_interpreter = layout.thread_interp;
  probe.thread_frame = layout.thread_frame;
  probe.thread_profile = layout.thread_profile;
  probe.thread_trace = layout.thread_trace;
  probe.thread_unique_id = layout.thread_unique_id;
  probe.current_frame = layout.frame_kind == PYC_FRAME_CFRAME ? layout.cframe_current_frame : 0u;
  probe.frame_previous = layout.frame_previous;
  probe.frame_code = layout.frame_code;
  probe.frame_instruction = layout.frame_instr;
  probe.frame_owner = field(layout.frame_owner);
  probe.frame_locals = layout.frame_locals;
  probe.generator_is_stack = layout.generator_kind == PYC_GENERATOR_STACK;
  probe.generator_state = int32_t{layout.generator_state} - int32_t{layout.generator_frame};
  probe.code_flags = layout.code_flags;
  probe.code_instructions = field(layout.code_instructions);
  probe.object_frame = field(layout.object_frame);
  probe.object_line = layout.object_line;
  probe.object_trace_opcodes = layout.object_trace_opcodes;
  probe.opcode_getitem = field(layout.opcode_getitem);
  probe.opcode_subscript = field(layout.opcode_subscript);
  return probe;
}

// `to` is all zeros.
void write_globs(std::span<char> to, const ProbePlan& plan) {
  size_t at = 0;
  const auto write = [&](char kind, const std::vector<std::string>& globs) {
    for (const std::string& glob : globs) {
      if (at + glob.size() + 3 > to.size()) return;
      to[at++] = kind;
      at += glob.copy(&to[at], glob.size()) + 1;
    }
  };
  write('+', plan.include);
  write('-', plan.exclude);
}

std::span<const std::byte> bytes_of(const auto& value) { return std::as_bytes(std::span(&value, 1)); }

}  // namespace

Probe::Probe(std::shared_ptr<const Process> process, const ProbePlan& plan, const TickClock& clock)
    : process_(std::move(process)), memory_(process_->pid()), plan_(plan), clock_(clock) {}

Probe::~Probe() {
  if (!heart_) return;
  heart_->stop(control());
  // The target keeps it mapped; what is in it need not stay.
  const int32_t pid = control().pid;
  const auto begin = static_cast<off_t>(area_.data() - shared_->bytes().data() + kControlSize);
  const auto size = static_cast<off_t>(area_.size() - kControlSize);
  ::fallocate(shared_->fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, begin, size);
  if (pid == 0) return;
  // Of a child: for another.
  plan_area(area_, kChildThreads);
  __atomic_store_n(&control().pid, 0, __ATOMIC_RELEASE);
}

Result<std::unique_ptr<Probe>> Probe::load(std::shared_ptr<const Process> process, const PythonRuntime& python,
                                           const ProbePlan& plan, const TickClock& clock,
                                           std::optional<RemoteThread> at) {
  if (forbids_debugging(*process))
    return fail(
        ErrorCode::kNotPermitted,
        fmt::format(
            "process {} was started with -X disable-remote-debug, which forbids tracing: sample it, without --trace",
            process->pid()));
  std::unique_ptr<Probe> probe(new Probe(std::move(process), plan, clock));
  PYC_TRY(TargetFunctions functions, find_target_functions(*probe->process_, probe->memory_, python));
  if (at) {
    PYC_CHECK(probe->prepare(std::move(functions), python, *at));
    PYC_CHECK(probe->start(*at));
  } else {
    {
      PYC_TRY(Place place, find_place(*probe->process_, functions.c_library));
      PYC_CHECK(probe->prepare(std::move(functions), python, place.thread));
    }
    PYC_CHECK(probe->start());
  }
  if (!probe->records())
    return fail(ErrorCode::kFailed,
                fmt::format("process {} cannot be traced: {}", probe->process_->pid(), probe->message()));
  return probe;
}

// The image of a probe that was in the process before and has taken its hooks out.
Result<std::optional<ProbeImage>> Probe::find_resident() const {
  PYC_TRY(const std::vector<MapEntry> maps, read_maps(*process_));
  for (size_t i = 0; i + 1 < maps.size(); ++i) {
    const MapEntry &code = maps[i], &data = maps[i + 1];
    if (!code.executable || code.writable || !code.path.empty() || code.end != data.begin || !data.writable) continue;
    ProbeImage image = probe_image_at(code.begin.address());
    const bool has_room = data.end.address() - code.begin.address() >= image.bytes.size() + kCommandsSize;
    if (!has_room || code.end.address() - code.begin.address() != image.code_size) continue;
    std::vector<std::byte> now(image.code_size);
    const bool is_read = memory_.read_bytes(code.begin, now).has_value();
    if (!is_read || !std::ranges::equal(now, std::span(image.bytes).first(now.size()))) continue;
    const auto records = memory_.read<uint32_t>(RemoteAddress(image.records));
    if (records && *records == 0) return image;
  }
  return std::nullopt;
}

// Gives the probe its memory in the target and tells it what to do; nothing of it runs yet.
Status Probe::prepare(TargetFunctions functions, const PythonRuntime& python, RemoteThread& thread) {
  const pid_t pid = process_->pid();
  site_.c_library = std::move(functions.c_library);
  site_.add_pending_call = functions.add_pending_call.address();
  site_.system_call = functions.system_call.address();
  if (site_.system_call == 0)
    return fail(ErrorCode::kFailed, fmt::format("process {} has no C library that could be used", pid));
  const auto system_call = [&](const char* what, long number,
                               std::initializer_list<uint64_t> arguments) -> Result<uint64_t> {
    PYC_TRY(const int64_t result, thread.system_call(site_.system_call, number, arguments));
    if (result >= 0 || result < -4095) return static_cast<uint64_t>(result);
    return fail(ErrorCode::kFailed,
                fmt::format("process {} cannot {}: {}", pid, what, ::strerror(static_cast<int>(-result))));
  };
  PYC_TRY(std::optional<ProbeImage> image, find_resident());
  if (!image) {
    constexpr uint64_t kNowhere = UINT64_MAX;
    PYC_TRY(const uint64_t base, system_call("get memory for the probe", SYS_mmap,
                                             {0, probe_image_size() + kCommandsSize, PROT_READ | PROT_WRITE,
                                              MAP_PRIVATE | MAP_ANONYMOUS, kNowhere, 0}));
    image = probe_image_at(base);
    PYC_CHECK(thread.write(base, image->bytes));
    PYC_CHECK(system_call("make the probe executable", SYS_mprotect, {base, image->code_size, PROT_READ | PROT_EXEC}));
  }
  site_.base = image->base;
  site_.pending = image->pending;
  site_.start_thread = image->start_thread;
  site_.trap = image->trap;
  site_.beginning.assign(image->bytes.begin(), image->bytes.begin() + kBeginning);
  site_.record = image->base + image->bytes.size();
  site_.stop = site_.record + kPage;

  PYC_CHECK(thread.write(site_.record, std::as_bytes(std::span(kName))));
  PYC_TRY(const uint64_t fd,
          system_call("share memory", SYS_memfd_create, {site_.record, MFD_CLOEXEC | MFD_ALLOW_SEALING}));
  Fd memfd(::open(fmt::format("/proc/{}/fd/{}", pid, fd).c_str(), O_RDWR | O_CLOEXEC));
  if (!memfd) return fail(ErrorCode::kNotPermitted, fmt::format("cannot reach what process {} shares", pid));
  const uint32_t children = plan_.with_children ? kChildren : 0;
  const uint64_t own_size = area_size(PYC_PROBE_MAX_THREADS), child_size = area_size(kChildThreads);
  const uint64_t size = own_size + children * child_size;
  PYC_TRY(SharedMemory memory, SharedMemory::of(std::move(memfd), size));
  shared_ = std::make_shared<SharedMemory>(std::move(memory));
  area_ = shared_->bytes().first(own_size);
  thread_count_ = PYC_PROBE_MAX_THREADS;
  const Result<uint64_t> mapped =
      system_call("map shared memory", SYS_mmap, {0, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0});
  PYC_CHECK(system_call("close a file", SYS_close, {fd}));
  PYC_TRY(const uint64_t shared, mapped);

  plan_area(area_, PYC_PROBE_MAX_THREADS);
  control().children_at = own_size;
  control().child_stride = child_size;
  for (uint32_t i = 0; i < children; ++i) plan_area(child_area(i), kChildThreads);
  control().child_count = children;
  control().size = size;
  adopted_.resize(children);
  heart_ = std::make_shared<Heart>(clock_);
  heart_->add(control());
  pyc_probe_layout layout = probe_layout(python.layout);
  layout.opcode_targets_writable = functions.opcode_targets_writable;
  pyc_probe_command command{.api = functions.api,
                            .layout = layout,
                            .control = nullptr,
                            .generation = clock_.now(),
                            .collectors = plan_.collectors,
                            .free_threaded = python.layout.free_threaded};
  std::memcpy(&command.control, &shared, sizeof shared);
  PYC_CHECK(thread.write(site_.record, bytes_of(command)));
  command.collectors = 0;
  return thread.write(site_.stop, bytes_of(command));
}

// Of the area of a child that is taken, its pid stays.
void Probe::plan_area(std::span<std::byte> area, uint32_t thread_count) const {
  auto& c = *reinterpret_cast<pyc_probe_control*>(area.data());
  const int32_t pid = c.pid;
  c = {};
  c.pid = pid;
  c.magic = PYC_PROBE_MAGIC;
  c.max_hits = plan_.max_hits;
  write_globs(c.globs, plan_);
  c.thread_count = thread_count;
  c.definitions_at = kControlSize;
  c.rings_at = kControlSize + kDefinitionsSize;
  c.ring_stride = kRingSize;
  c.clock = clock_.counts_tsc() ? PYC_PROBE_CLOCK_TSC : PYC_PROBE_CLOCK_MONOTONIC;
  c.origin = plan_.origin;
  c.patience = clock_.ticks_of_ns(kPatienceNs);
  for (uint32_t i = 0; i < thread_count; ++i)
    make_ring(area.subspan(c.rings_at + i * kRingSize, kRingSize), kThreadSlots, plan_.on_full);
  // What is defined may not be dropped: it is waited for room.
  make_ring(area.subspan(kControlSize, kDefinitionsSize), kDefinitionSlots, PYC_RING_BLOCK);
}

std::span<std::byte> Probe::child_area(uint32_t number) const {
  const uint64_t size = area_size(kChildThreads);
  return shared_->bytes().subspan(area_size(PYC_PROBE_MAX_THREADS) + number * size, size);
}

std::vector<Probe::Child> Probe::new_children() const {
  std::vector<Child> found;
  for (uint32_t i = 0; i < adopted_.size(); ++i) {
    if (adopted_[i]) continue;
    const auto& c = *reinterpret_cast<const pyc_probe_control*>(child_area(i).data());
    const bool records = __atomic_load_n(&c.state, __ATOMIC_ACQUIRE) == PYC_PROBE_RECORDS;
    if (const pid_t pid = __atomic_load_n(&c.pid, __ATOMIC_ACQUIRE); pid != 0 && records)
      found.push_back({.number = i, .pid = pid, .parent_pid = c.parent_pid});
  }
  return found;
}

std::unique_ptr<Probe> Probe::adopt(const Child& child, std::shared_ptr<const Process> process) {
  std::unique_ptr<Probe> probe(new Probe(std::move(process), plan_, clock_));
  probe->site_ = site_;
  probe->shared_ = shared_;
  probe->area_ = child_area(child.number);
  probe->thread_count_ = kChildThreads;
  probe->heart_ = heart_;
  heart_->add(probe->control());
  adopted_[child.number] = true;
  return probe;
}

void Probe::disown(uint32_t number) { adopted_[number] = false; }

Status Probe::start(RemoteThread& at) {
  PYC_CHECK(at.call(site_.pending, site_.trap, {site_.record}, kStartPatience));
  return {};
}

Status Probe::start() {
  const Status started = execute(site_.record, &Probe::has_started, kStartPatience, [] {});
  if (!started) __atomic_store_n(&control().cancelled, 1, __ATOMIC_RELEASE);
  return started;
}

// What a process was before it executed another program is no more.
bool Probe::is_in_place() const {
  std::array<std::byte, kBeginning> now;
  return memory_.read_bytes(RemoteAddress(site_.base), now) && std::ranges::equal(now, site_.beginning);
}

// Makes the probe execute a command, some time soon.
Status Probe::begin(uint64_t command, bool& is_queued) {
  Error last;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    {
      PYC_TRY(Place place, find_place(*process_, site_.c_library));
      if (!is_in_place())
        return fail(ErrorCode::kTargetGone,
                    fmt::format("process {} executes another program than the one that was traced", process_->pid()));
      if (!place.is_blocked && is_queued) return {};
      const Result<uint64_t> result =
          place.is_blocked
              ? place.thread.call(site_.start_thread, site_.trap, {command}, kCallPatience)
              : place.thread.call(site_.add_pending_call, site_.trap, {site_.pending, command}, kCallPatience);
      const bool is_done = result && static_cast<int32_t>(*result) == 0;
      is_queued |= is_done && !place.is_blocked;
      if (is_done) return {};
      if (!result && result.error().code == ErrorCode::kTargetGone) return std::unexpected(result.error());
      last = result ? Error{ErrorCode::kFailed, fmt::format("process {} cannot start another thread", process_->pid())}
                    : result.error();
    }
    std::this_thread::sleep_for(kRetry);
  }
  return std::unexpected(std::move(last));
}

// The same, until it is done. A command that comes twice does no harm.
Status Probe::execute(uint64_t command, bool (Probe::*is_done)() const, milliseconds patience,
                      const std::function<void()>& meanwhile) {
  const auto until = steady_clock::now() + patience;
  // Once is enough: there is not much room for what is pending, and the process may need it.
  bool is_queued = false;
  while (steady_clock::now() < until) {
    PYC_CHECK(begin(command, is_queued));
    const auto again = std::min(steady_clock::now() + kAgain, until);
    for (auto pause = std::chrono::microseconds(50); steady_clock::now() < again;
         pause = std::min(pause * 2, std::chrono::microseconds(2000))) {
      if ((this->*is_done)()) return {};
      meanwhile();
      if (!process_->alive()) return fail(ErrorCode::kTargetGone, fmt::format("process {} has ended", process_->pid()));
      std::this_thread::sleep_for(pause);
    }
  }
  return fail(ErrorCode::kFailed,
              fmt::format("process {} has not come to a point where it can be traced: something holds "
                          "Python's lock for long; try again later",
                          process_->pid()));
}

Status Probe::remove(const std::function<void()>& meanwhile) {
  // The next event takes the hooks out; without one, we do.
  __atomic_store_n(&control().cancelled, 1, __ATOMIC_RELEASE);
  heart_->stop(control());
  const auto until = steady_clock::now() + kQuickEnd;
  while (!has_ended() && steady_clock::now() < until && process_->alive()) {
    meanwhile();
    std::this_thread::sleep_for(milliseconds(1));
  }
  if (has_ended() || !process_->alive()) return {};
  return execute(site_.stop, &Probe::has_ended, kEndPatience, meanwhile);
}

pyc_probe_control& Probe::control() const { return *reinterpret_cast<pyc_probe_control*>(area_.data()); }

bool Probe::records() const { return __atomic_load_n(&control().state, __ATOMIC_ACQUIRE) == PYC_PROBE_RECORDS; }
bool Probe::has_started() const { return __atomic_load_n(&control().state, __ATOMIC_ACQUIRE) != PYC_PROBE_LOADED; }
bool Probe::has_ended() const { return has_started() && !records(); }

void Probe::wait(milliseconds timeout) {
  uint32_t* const word = &control().wakes;
  const timespec limit{timeout.count() / 1000, timeout.count() % 1000 * 1'000'000};
  const uint32_t seen = wakes_seen_;
  ::syscall(SYS_futex, word, FUTEX_WAIT, seen, &limit, nullptr, 0);
  wakes_seen_ = __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

std::string Probe::message() const {
  const pyc_probe_control& c = control();
  std::string text(c.message, ::strnlen(c.message, sizeof c.message));
  std::ranges::replace_if(text, [](char ch) { return ch < ' '; }, '?');
  return text;
}

uint64_t Probe::unrecorded() const { return __atomic_load_n(&control().unrecorded, __ATOMIC_RELAXED); }

std::span<std::byte> Probe::definitions() const { return area_.subspan(kControlSize, kDefinitionsSize); }

std::span<std::byte> Probe::ring(uint32_t number) const {
  return area_.subspan(kControlSize + kDefinitionsSize + number * kRingSize, kRingSize);
}

void Probe::reuse(uint32_t number) {
  std::memset(ring(number).data(), 0, sizeof(pyc_ring));
  make_ring(ring(number), kThreadSlots, plan_.on_full);
  pyc_probe_thread& thread = control().threads[number];
  __atomic_store_n(&thread.state, PYC_PROBE_RING_FREE, __ATOMIC_RELEASE);
  __atomic_store_n(&thread.tid, 0, __ATOMIC_RELEASE);
}

}  // namespace pycroscope

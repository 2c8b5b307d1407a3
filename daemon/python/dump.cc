#include "daemon/python/dump.h"

#include <sys/syscall.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "daemon/os/file.h"
#include "daemon/os/ptrace.h"
#include "daemon/python/code_object.h"
#include "daemon/python/frames.h"
#include "daemon/python/gil.h"
#include "daemon/python/locals.h"
#include "daemon/python/thread_names.h"
#include "daemon/python/unicode.h"
#include "daemon/target/live_memory.h"
#include "daemon/target/page_cache.h"

namespace pycroscope {
namespace {

using std::chrono::steady_clock;

constexpr size_t kMaxFrames = 100'000;  // of one thread
// However much there is to show, nobody's service stands still for longer: what is left then has no locals.
constexpr auto kMaxStandstill = std::chrono::milliseconds(200);

// Everything that has to be read while the target stands still.
struct Standstill {
  struct Thread {
    PythonThread python;
    StoppedThread system;
    bool holds_gil = false;
    bool waits_for_gil = false;
    std::vector<std::vector<LocalVariable>> locals;  // of the frames, in their order; empty when not asked for
  };
  std::vector<Thread> threads;
  std::unordered_map<uint64_t, std::optional<CodeInfo>> codes;  // by address
  ThreadNames names;
  std::chrono::nanoseconds duration{};
};

// The thread of the kernel that runs `thread`. By the thread pointer, which a forked child and a container keep right.
const StoppedThread* find_system_thread(const std::vector<StoppedThread>& all, const PythonThread& thread) {
  const auto same_pointer = std::ranges::find(all, thread.thread_id, &StoppedThread::thread_pointer);
  if (same_pointer != all.end() && thread.thread_id != 0) return &*same_pointer;
  const auto same_id = std::ranges::find(all, static_cast<pid_t>(thread.native_id), &StoppedThread::tid);
  return same_id != all.end() ? &*same_id : nullptr;
}

// A state that is made for a thread which does not run yet bears its creator's id (3.11) or none.
bool is_not_started(const PythonThread& thread, const std::vector<PythonThread>& all) {
  if (!thread.frames.empty()) return false;
  return std::ranges::any_of(all, [&](const PythonThread& other) {
    return other.thread_id == thread.thread_id && other.tstate != thread.tstate && !other.frames.empty();
  });
}

class StandstillReader {
 public:
  StandstillReader(const TargetMemory& memory, const PythonRuntime& python, const DumpOptions& options)
      : memory_(memory), python_(python), options_(options), locals_(memory_, python_.layout) {}

  Status read(const ProcessStop& stop, steady_clock::time_point deadline, Standstill& out) {
    PYC_TRY(auto threads, walk_threads(memory_, python_, kMaxFrames));
    for (PythonThread& thread : threads) {
      const StoppedThread* system = find_system_thread(stop.threads(), thread);
      if (system == nullptr || is_not_started(thread, threads)) continue;
      Standstill::Thread& found = out.threads.emplace_back();
      found.python = thread;
      found.system = *system;
    }
    // Names are worth having, not worth failing for.
    if (auto names = python_thread_names(memory_, python_)) out.names = *std::move(names);
    for (Standstill::Thread& thread : out.threads) {
      read_gil(thread);
      for (const PythonFrame& frame : thread.python.frames) read_code(frame.code, out);
    }
    if (!options_.locals) return {};
    for (Standstill::Thread& thread : out.threads) {
      for (const PythonFrame& frame : thread.python.frames) {
        if (steady_clock::now() > deadline) return {};
        thread.locals.push_back(locals_.read(frame));
      }
    }
    return {};
  }

 private:
  void read_gil(Standstill::Thread& thread) const {
    const auto gil = read_gil_of(memory_, python_, thread.python.tstate);
    if (!gil) return;
    thread.holds_gil = gil->holder == thread.python.tstate;
    const auto& call = thread.system.blocked_in;
    thread.waits_for_gil = call && call->number == SYS_futex && gil->contains(RemoteAddress(call->first_argument));
  }

  void read_code(RemoteAddress code, Standstill& out) const {
    const auto [entry, is_new] = out.codes.try_emplace(code.address());
    if (!is_new) return;
    if (python_.code_type) {
      const auto type = memory_.read_pointer(code + python_.layout.object_type);
      if (!type || *type != python_.code_type) return;
    }
    if (auto info = decode_code(memory_, python_.layout, code)) entry->second = *std::move(info);
  }

  const PageCache memory_;
  const PythonRuntime& python_;
  const DumpOptions& options_;
  LocalsReader locals_;
};

Result<Standstill> stand_still(const Process& process, const PythonRuntime& python, const DumpOptions& options) {
  const LiveMemory memory(process.pid());
  Standstill result;
  const auto begin = steady_clock::now();
  PYC_TRY(auto stop, ProcessStop::stop(process.pid()));
  StandstillReader reader(memory, python, options);
  const Status status = reader.read(stop, begin + kMaxStandstill, result);
  stop.resume();
  result.duration = steady_clock::now() - begin;
  if (!process.alive()) return fail(ErrorCode::kTargetGone, "process " + std::to_string(process.pid()) + " has ended");
  if (!status) {
    return fail(ErrorCode::kFailed, "the stacks of process " + std::to_string(process.pid()) +
                                        " could not be read: it may be ending or damaged");
  }
  return result;
}

void fill_frame(const PythonFrame& frame, const Standstill& still, v1::FrameDump& out) {
  const auto& info = still.codes.at(frame.code.address());
  out.set_function(info ? info->qualname : "[unreadable]");
  if (!info) return;
  out.set_file(info->filename);
  out.set_line(info->lines.line(frame.offset));
}

std::string kernel_name(const Process& process, pid_t tid) {
  auto name = read_file("/proc/" + std::to_string(process.pid()) + "/task/" + std::to_string(tid) + "/comm", 4096);
  if (!name) return {};
  if (name->ends_with('\n')) name->pop_back();
  return printable_utf8(*name);
}

void fill_thread(const Process& process, const Standstill& still, const Standstill::Thread& thread,
                 v1::ThreadDump& out) {
  out.set_tid(thread.system.tid);
  const auto name = still.names.find(thread.python.thread_id);
  out.set_name(name != still.names.end() ? name->second : kernel_name(process, thread.system.tid));
  out.set_state(thread.waits_for_gil ? "gil" : thread.system.waits() ? "waiting" : "running");
  out.set_holds_gil(thread.holds_gil);
  out.set_interpreter(thread.python.interpreter);
  out.set_truncated(thread.python.truncated);
  for (size_t i = 0; i < thread.python.frames.size(); ++i) {
    v1::FrameDump& frame = *out.add_frames();
    fill_frame(thread.python.frames[i], still, frame);
    if (i >= thread.locals.size()) continue;
    for (const LocalVariable& variable : thread.locals[i]) {
      v1::Local& local = *frame.add_locals();
      local.set_name(variable.name);
      local.set_text(variable.text);
    }
  }
}

}  // namespace

Result<v1::DumpResponse> dump_stacks(const Process& process, const DumpOptions& options) {
  const LiveMemory memory(process.pid());
  PYC_TRY(const PythonRuntime python, find_python(process, memory));
  PYC_TRY(Standstill still, stand_still(process, python, options));
  std::ranges::sort(still.threads, {}, [](const Standstill::Thread& thread) { return thread.system.tid; });

  v1::DumpResponse response;
  response.set_pid(process.pid());
  response.set_python(python.version);
  response.set_stopped_ns(still.duration.count());
  for (const Standstill::Thread& thread : still.threads) fill_thread(process, still, thread, *response.add_threads());
  return response;
}

}  // namespace pycroscope

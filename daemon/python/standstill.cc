#include "daemon/python/standstill.h"

#include <sys/syscall.h>

#include <algorithm>
#include <utility>

#include "daemon/python/gil.h"
#include "daemon/target/page_cache.h"

namespace pycroscope {
namespace {

using std::chrono::steady_clock;

constexpr size_t kMaxFrames = 100'000;  // of one thread

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

class Reader {
 public:
  Reader(const TargetMemory& memory, const PythonRuntime& python)
      : memory_(memory), python_(python), locals_(memory_, python_.layout) {}

  Result<Standstill> read(const std::vector<StoppedThread>& system, const StandstillOptions& options) {
    Standstill still;
    PYC_CHECK(find_threads(system, still));
    // Names are worth having, not worth failing for.
    if (auto names = python_thread_names(memory_, python_)) still.names = *std::move(names);
    for (Standstill::Thread& thread : still.threads) {
      read_gil(thread);
      for (const PythonFrame& frame : thread.python.frames) read_code(frame.code, still);
    }
    if (options.locals) read_locals(options.deadline, still);
    return still;
  }

 private:
  Status find_threads(const std::vector<StoppedThread>& system, Standstill& still) const {
    PYC_TRY(const auto threads, walk_threads(memory_, python_, kMaxFrames));
    for (const PythonThread& thread : threads) {
      const StoppedThread* own = find_system_thread(system, thread);
      if (own == nullptr || is_not_started(thread, threads)) continue;
      Standstill::Thread& found = still.threads.emplace_back();
      found.python = thread;
      found.system = *own;
    }
    return {};
  }

  void read_gil(Standstill::Thread& thread) const {
    const auto gil = read_gil_of(memory_, python_, thread.python.tstate);
    if (!gil) return;
    thread.holds_gil = gil->holder == thread.python.tstate;
    const auto& call = thread.system.blocked_in;
    thread.waits_for_gil = call && call->number == SYS_futex && gil->is_awaited_at(RemoteAddress(call->first_argument));
  }

  void read_code(RemoteAddress code, Standstill& still) const {
    const auto [entry, is_new] = still.codes.try_emplace(code.address());
    if (!is_new) return;
    if (python_.code_type) {
      const auto type = memory_.read_pointer(code + python_.layout.object_type);
      if (!type || *type != python_.code_type) return;
    }
    if (auto info = decode_code(memory_, python_.layout, code)) entry->second = *std::move(info);
  }

  void read_locals(steady_clock::time_point deadline, Standstill& still) {
    for (Standstill::Thread& thread : still.threads) {
      for (const PythonFrame& frame : thread.python.frames) {
        if (steady_clock::now() > deadline) return;
        thread.locals.push_back(locals_.read(frame));
      }
    }
  }

  const PageCache memory_;
  const PythonRuntime& python_;
  LocalsReader locals_;
};

void fill_frame(const PythonFrame& frame, const Standstill& still, v1::FrameDump& out) {
  const auto& info = still.codes.at(frame.code.address());
  out.set_function(info ? info->qualname : "[unreadable]");
  if (!info) return;
  out.set_file(info->filename);
  out.set_line(info->lines.line(frame.offset));
}

void fill_thread(const Standstill& still, const Standstill::Thread& thread, v1::ThreadDump& out) {
  out.set_tid(thread.system.tid);
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

Result<Standstill> read_standstill(const TargetMemory& memory, const PythonRuntime& python,
                                   const std::vector<StoppedThread>& threads, const StandstillOptions& options) {
  return Reader(memory, python).read(threads, options);
}

void fill_threads(const Standstill& still, const std::function<std::string(pid_t)>& system_name,
                  v1::DumpResponse& response) {
  std::vector<const Standstill::Thread*> threads;
  for (const Standstill::Thread& thread : still.threads) threads.push_back(&thread);
  std::ranges::stable_sort(threads, {}, [](const Standstill::Thread* thread) { return thread->system.tid; });
  for (const Standstill::Thread* thread : threads) {
    v1::ThreadDump& out = *response.add_threads();
    fill_thread(still, *thread, out);
    const auto name = still.names.find(thread->python.thread_id);
    out.set_name(name != still.names.end() ? name->second : system_name(thread->system.tid));
  }
}

}  // namespace pycroscope

#include "daemon/collect/remote_walker.h"

#include <algorithm>
#include <utility>

#include "daemon/collect/code_capture.h"
#include "daemon/collect/task_capture.h"
#include "daemon/python/code_object.h"

namespace pycroscope {
namespace {

// A stack that changes all the time is tried again, so that what runs fast is seen nearly as often as what runs slowly.
constexpr int kAttempts = 16;
constexpr size_t kMaxKnown = 1 << 18;

// The same functions at the same places both times, but that the leaf runs on.
bool agree(const std::vector<PythonFrame>& first, const std::vector<PythonFrame>& second) {
  const auto is_same = [&](const PythonFrame& a, const PythonFrame& b) {
    return a.frame == b.frame && a.code == b.code && (a.offset == b.offset || &a == first.data());
  };
  return std::ranges::equal(first, second, is_same);
}

// Whether the walk came to an end or to the limit.
bool is_complete(const Result<PythonThread>& thread) {
  return thread && (!thread->truncated || thread->frames.size() == PYC_MAX_FRAMES);
}

}  // namespace

void RemoteStack::reset(pid_t pid, pid_t tid) {
  sample = {};
  sample.type = PYC_RECORD_SAMPLE;
  sample.flags = PYC_SAMPLE_NO_PYTHON;
  sample.tgid = static_cast<uint32_t>(pid);
  sample.tid = static_cast<uint32_t>(tid);
  sample.wait_syscall = PYC_NO_SYSCALL;
  frames.clear();
  gil.reset();
}

void RemoteStack::describe_wait(const ThreadActivity& state) {
  sample.flags |= PYC_SAMPLE_WAITED;
  if (state.runs) sample.flags |= PYC_SAMPLE_RUNNABLE;
  sample.wait_syscall = state.syscall.value_or(PYC_NO_SYSCALL);
  sample.wait_argument = state.argument;
  const bool needs_gil = gil && gil->is_awaited_at(RemoteAddress(state.argument));
  if (state.syscall == PYC_SYSCALL_FUTEX && needs_gil) sample.flags |= PYC_SAMPLE_WAITS_FOR_GIL;
  if ((sample.flags & PYC_SAMPLE_NO_PYTHON) != 0) sample.user_ip = state.instruction;
}

RemoteWalker::RemoteWalker(const Process& process, const TargetMemory& memory, const PythonRuntime& python)
    : memory_(memory), python_(python), pid_(process.pid()), threads_(process, memory, python), rest_(memory) {
  for (size_t i = 0; i < kManyReadings; ++i) all_readings_.emplace_back(memory);
}

void RemoteWalker::forget(pid_t tid) {
  threads_.forget(tid);
  habits_.erase(tid);
}

std::vector<pid_t> RemoteWalker::gil_holders() {
  std::vector<pid_t> holders;
  for (const RemoteAddress tstate : threads_.one_of_each_interpreter()) {
    const auto gil = read_gil_of(memory_, python_, tstate);
    const auto holder = gil && gil->holder ? threads_.tid_of(gil->holder) : std::nullopt;
    if (holder) holders.push_back(*holder);
  }
  return holders;
}

void RemoteWalker::capture(MemorySnapshot& reading, const Habits& habits, bool with_rest) {
  ranges_.clear();
  reading.restart(habits.stack.expected());
  reading.expect(ranges_);
  if (with_rest) {
    rest_.restart(habits.rest.expected());
    rest_.expect(ranges_);
  }
  const bool captured = memory_.read_ranges(ranges_).has_value();
  captured ? reading.capture() : reading.restart({});
  if (with_rest) captured ? rest_.capture() : rest_.restart({});
}

pyc_error RemoteWalker::read_once(const RemoteThread& thread, const Habits& habits, MemorySnapshot& reading) {
  const bool is_first = &reading == &readings_.front(), is_last = &reading == &readings_.back();
  capture(reading, habits, is_last);
  auto walked = walk_thread(reading, python_.layout, thread.tstate, PYC_MAX_FRAMES);
  if (!is_complete(walked)) return PYC_ERROR_FRAME_READ;
  if (!is_first && !agree(walked_.frames, walked->frames)) return PYC_ERROR_BAD_FRAME;
  walked_ = *std::move(walked);
  if (is_first) first_task_ = capture_task(reading, python_, pid_, thread.tstate);
  if (is_last) task_ = capture_task(reading, python_, pid_, thread.tstate);
  return PYC_OK;
}

// A system call for each reading: within one, they would lie so close together that they are wrong in the same way.
pyc_error RemoteWalker::read_stack(const RemoteThread& thread, const Habits& habits) {
  readings_ = std::span(all_readings_).first(habits.readings);
  for (MemorySnapshot& reading : readings_)
    if (const pyc_error error = read_once(thread, habits, reading); error != PYC_OK) return error;
  return PYC_OK;
}

std::expected<RemoteWalker::Identified, pyc_error> RemoteWalker::identify(RemoteAddress code) {
  const pyc_layout& layout = python_.layout;
  const auto type = rest_.read_pointer(code + layout.object_type);
  const auto identity = code_identity(rest_, layout, code);
  const auto size = bytecode_size(rest_, layout, code);
  if (!type || !identity || !size) return std::unexpected(PYC_ERROR_CODE_READ);
  if (python_.code_type && *type != python_.code_type) return std::unexpected(PYC_ERROR_BAD_CODE);
  const auto [known, is_unknown] = known_.try_emplace(code.address(), *identity);
  if (is_unknown || std::exchange(known->second, *identity) != *identity) return std::unexpected(PYC_ERROR_BAD_CODE);
  return Identified{*identity, *size};
}

// All frames, also when one fails, so that the next attempt knows all code objects.
pyc_error RemoteWalker::identify_once(RemoteStack& stack) {
  identified_.clear();
  stack.frames.clear();
  if (known_.size() > kMaxKnown) known_.clear();
  pyc_error failure = PYC_OK;
  for (const PythonFrame& frame : walked_.frames) {
    auto code = identified_.find(frame.code.address());
    if (code == identified_.end()) code = identified_.emplace(frame.code.address(), identify(frame.code)).first;
    if (!code->second) {
      failure = code->second.error();
      continue;
    }
    const bool fits = frame.offset >= -2 && frame.offset < static_cast<int64_t>(code->second->bytecode_size);
    if (!fits) failure = PYC_ERROR_BAD_FRAME;
    stack.frames.push_back({.identity = code->second->identity, .offset = frame.offset, .reserved = 0});
  }
  return failure;
}

// Code objects that come for the first time are known then: one more reading shows that they have stayed.
pyc_error RemoteWalker::identify(const RemoteThread& thread, Habits& habits, RemoteStack& stack) {
  if (const pyc_error error = identify_once(stack); error != PYC_ERROR_BAD_CODE) return error;
  habits.rest.learn(rest_);
  if (const pyc_error error = read_once(thread, habits, readings_.back()); error != PYC_OK) return error;
  return identify_once(stack);
}

// The first reading's task is the stack's, also where it was read late: the readings that followed have the same stack.
// But a task may end, and its memory be another one's, before its name is read: a name that is now as it was before the
// stack was read has been there all the time.
pyc_error RemoteWalker::check_task(Habits& habits, RemoteStack& stack) const {
  const auto before = std::exchange(habits.task, task_);
  if (first_task_ != task_ || before != task_) return PYC_ERROR_BAD_FRAME;
  pyc_task_record record{};
  stack.sample.task = record_is(task_, PYC_RECORD_TASK, record) ? record.identity : 0;
  return PYC_OK;
}

void RemoteWalker::read_gil(const RemoteThread& thread, RemoteStack& stack) const {
  const auto gil = read_gil_of(rest_, python_, thread.tstate);
  if (!gil) return;
  stack.gil = *gil;
  if (gil->holder == thread.tstate) stack.sample.flags |= PYC_SAMPLE_HOLDS_GIL;
}

RemoteWalker::Outcome RemoteWalker::attempt(const RemoteThread& thread, Habits& habits, RemoteStack& stack) {
  rest_.restart({});
  error_ = read_stack(thread, habits);
  habits.stack.learn(readings_.front());
  habits.readings = error_ == PYC_OK ? std::max(habits.readings - 1, kFewReadings) : kManyReadings;
  if (error_ == PYC_ERROR_BAD_FRAME) return Outcome::kAgain;
  if (error_ == PYC_OK) error_ = identify(thread, habits, stack);
  if (error_ == PYC_OK) error_ = check_task(habits, stack);
  const bool is_held = threads_.holds(rest_, thread);
  if (is_held) read_gil(thread, stack);
  habits.rest.learn(rest_);
  if (!is_held) return Outcome::kOtherThread;
  return error_ == PYC_OK ? Outcome::kDone : Outcome::kAgain;
}

void RemoteWalker::visit_codes(const RecordVisitor& visit, const RemoteStack& stack) {
  for (size_t i = 0; i < stack.frames.size(); ++i) {
    const uint64_t identity = stack.frames[i].identity;
    if (visited_.contains(identity)) continue;
    const auto record = capture_code(memory_, python_.layout, pid_, walked_.frames[i].code, identity);
    if (!record) continue;
    visited_.insert(identity);
    visit(*record);
  }
}

void RemoteWalker::visit_task(const RecordVisitor& visit, const RemoteStack& stack) {
  if (stack.sample.task != 0 && visited_.insert(stack.sample.task).second) visit(task_);
}

pyc_error RemoteWalker::walk(pid_t tid, const RecordVisitor& visit, RemoteStack& stack) {
  stack.reset(pid_, tid);
  for (int i = 0; i < kAttempts; ++i) {
    const auto thread = threads_.find(tid);
    if (!thread) return PYC_ERROR_THREAD_LIST;
    // Of an attempt before, which may have been another thread's.
    stack.frames.clear();
    stack.sample.flags = 0;
    if (!*thread) return PYC_OK;
    stack.sample.thread_id = (*thread)->thread_id;
    const Outcome outcome = attempt(**thread, habits_[tid], stack);
    if (outcome == Outcome::kOtherThread) forget(tid);
    if (outcome != Outcome::kDone) continue;
    visit_codes(visit, stack);
    visit_task(visit, stack);
    stack.sample.frame_count = static_cast<uint32_t>(stack.frames.size());
    if (stack.frames.empty()) stack.sample.flags |= PYC_SAMPLE_NO_PYTHON;
    if (walked_.truncated) stack.sample.flags |= PYC_SAMPLE_TRUNCATED;
    return PYC_OK;
  }
  return error_ == PYC_OK ? PYC_ERROR_THREAD_LIST : error_;
}

}  // namespace pycroscope

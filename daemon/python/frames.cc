#include "daemon/python/frames.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <unordered_set>

namespace pycroscope {
namespace {

constexpr size_t kMaxInterpreters = 4096;
constexpr size_t kMaxThreads = 1 << 16;
constexpr size_t kMaxFramesOfAllThreads = 1 << 22;
// Between two frames that count, where CPython has two at most.
constexpr size_t kMaxShims = 64;
constexpr uint64_t kMaxThreadState = 4096;  // those with a _PyCFrame have some hundred bytes
constexpr size_t kMaxFrameSize = 256;       // of the fixed part, see debug_offsets.cc

std::unexpected<Error> endless(const char* what) {
  return fail(ErrorCode::kMemory, std::string("the list of ") + what + " does not end");
}

// The fixed part of one _PyInterpreterFrame.
class FrameBytes {
 public:
  Status read(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress frame) {
    if (layout.frame_size > bytes_.size()) return fail(ErrorCode::kMemory, "a frame's size makes no sense");
    return memory.read_bytes(frame, std::span(bytes_).first(layout.frame_size));
  }
  RemoteAddress pointer(uint16_t offset) const { return RemoteAddress(at<uint64_t>(offset)); }
  // Zero when the layout has no such field.
  template <class T>
  T at(uint16_t offset) const {
    T value{};
    if (offset + sizeof value <= bytes_.size()) std::memcpy(&value, &bytes_[offset], sizeof value);
    return value;
  }

 private:
  std::array<std::byte, kMaxFrameSize> bytes_{};
};

// Where the bytecode begins that a frame of `code` executes: see pyc_bytecode() in bpf/lib/frames.h.
Result<RemoteAddress> bytecode_of(const TargetMemory& memory, const pyc_layout& layout, const FrameBytes& frame,
                                  RemoteAddress code) {
  const auto index = frame.at<uint32_t>(layout.frame_tlbc_index);
  if (index == 0) return code + layout.code_instructions;
  PYC_TRY(const auto copies, memory.read_pointer(code + layout.code_tlbc));
  return memory.read_pointer(copies + (uint64_t{1} + index) * sizeof(uint64_t));
}

Result<int32_t> bytecode_offset(const TargetMemory& memory, const pyc_layout& layout, const FrameBytes& frame,
                                RemoteAddress code) {
  switch (layout.instr_kind) {
    case PYC_INSTR_LASTI_BYTES:
      return frame.at<int32_t>(layout.frame_instr);
    case PYC_INSTR_LASTI_UNITS:
      return static_cast<int32_t>(frame.at<uint32_t>(layout.frame_instr) * 2);
    default:
      break;
  }
  PYC_TRY(const auto first, bytecode_of(memory, layout, frame, code));
  // Both kinds of pointer give the offset that CPython calls f_lasti. Garbage is cut to 32 bits, line tables cope.
  const uint64_t offset = frame.pointer(layout.frame_instr).address() - first.address();
  return static_cast<int32_t>(static_cast<uint32_t>(offset));
}

Result<RemoteAddress> leaf_frame(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress tstate) {
  PYC_TRY(const auto pointer, memory.read_pointer(tstate + layout.thread_frame));
  if (layout.frame_kind == PYC_FRAME_CURRENT_FRAME || !pointer) return pointer;
  PYC_TRY(const auto frame, memory.read_pointer(pointer + layout.cframe_current_frame));
  // The first _PyCFrame of a thread is inside its state; those on its stack know the one before. Zeros are what a core
  // file has where it lacks the stack.
  if (frame || pointer.address() - tstate.address() < kMaxThreadState) return frame;
  PYC_TRY(const auto previous, memory.read_pointer(pointer + layout.cframe_previous));
  if (!previous) return fail(ErrorCode::kMemory, "a C frame that makes no sense");
  return frame;
}

// Fills thread.frames; a failed read leaves what was read before it.
Status walk_frames(const TargetMemory& memory, const pyc_layout& layout, size_t max_frames, PythonThread& thread) {
  PYC_TRY(RemoteAddress frame, leaf_frame(memory, layout, thread.tstate));
  FrameBytes bytes;
  size_t shims = 0;
  while (frame) {
    PYC_CHECK(bytes.read(memory, layout, frame));
    if (bytes.at<uint8_t>(layout.frame_owner) < layout.frame_owner_shim) {
      if (thread.frames.size() == max_frames) {
        thread.truncated = true;
        return {};
      }
      const RemoteAddress code(bytes.pointer(layout.frame_code).address() & ~uint64_t{layout.stackref_tag});
      // Where a core file lacks the memory of a shim there are zeros, which end the walk as the outermost frame does.
      if (!code) return fail(ErrorCode::kMemory, "a frame without a code object");
      PYC_TRY(const int32_t offset, bytecode_offset(memory, layout, bytes, code));
      thread.frames.push_back({frame, code, offset});
      shims = 0;
    } else if (++shims > kMaxShims) {
      return endless("frames");
    }
    const RemoteAddress previous = bytes.pointer(layout.frame_previous);
    if (previous == frame) return endless("frames");
    frame = previous;
  }
  return {};
}

Result<PythonThread> read_thread(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress tstate,
                                 int64_t interpreter, size_t max_frames) {
  PythonThread thread;
  thread.tstate = tstate;
  thread.interpreter = interpreter;
  PYC_TRY(thread.thread_id, memory.read<uint64_t>(tstate + layout.thread_id));
  if (layout.thread_native_id != PYC_NO_OFFSET) {
    PYC_TRY(thread.native_id, memory.read<uint64_t>(tstate + layout.thread_native_id));
  }
  if (auto status = walk_frames(memory, layout, max_frames, thread); !status) {
    if (status.error().code != ErrorCode::kMemory) return std::unexpected(std::move(status).error());
    thread.truncated = true;
  }
  return thread;
}

}  // namespace

Result<PythonThread> walk_thread(const TargetMemory& memory, const pyc_layout& layout, RemoteAddress tstate,
                                 size_t max_frames) {
  return read_thread(memory, layout, tstate, 0, max_frames);
}

Result<std::vector<PythonThread>> walk_threads(const TargetMemory& memory, const PythonRuntime& python,
                                               size_t max_frames) {
  const pyc_layout& layout = python.layout;
  std::vector<PythonThread> threads;
  std::unordered_set<uint64_t> seen;
  size_t frames_left = kMaxFramesOfAllThreads;
  PYC_TRY(RemoteAddress interpreter, memory.read_pointer(python.runtime + layout.runtime_interpreters_head));
  for (size_t interpreters = 0; interpreter; ++interpreters) {
    if (interpreters == kMaxInterpreters || !seen.insert(interpreter.address()).second) return endless("interpreters");
    PYC_TRY(const auto id, memory.read<int64_t>(interpreter + layout.interpreter_id));
    PYC_TRY(RemoteAddress tstate, memory.read_pointer(interpreter + layout.interpreter_threads_head));
    while (tstate) {
      if (threads.size() == kMaxThreads || !seen.insert(tstate.address()).second) return endless("threads");
      PYC_TRY(PythonThread thread, read_thread(memory, layout, tstate, id, std::min(max_frames, frames_left)));
      frames_left -= thread.frames.size();
      threads.push_back(std::move(thread));
      PYC_TRY(tstate, memory.read_pointer(tstate + layout.thread_next));
    }
    PYC_TRY(interpreter, memory.read_pointer(interpreter + layout.interpreter_next));
  }
  return threads;
}

}  // namespace pycroscope

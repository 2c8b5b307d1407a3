// Traces of real programs, written by tests/targets/record_trace.py: what sys.setprofile and sys.settrace saw, with
// times.
//
//   file   := "pyctrace1\n" functions:u32 (name path first_line:u32)* event*     name, path := size:u32 bytes
//   event  := time_ns:u64 thread:u32 type_and_function:u32 line:u32     type << 28 | function; types of TraceType
#pragma once

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "analysis/model/events.h"
#include "analysis/model/symbols.h"

namespace pycroscope::test {

class RecordedTrace {
 public:
  // Throws std::runtime_error for a file that is none.
  RecordedTrace(Symbols& symbols, const std::string& path) : symbols_(symbols) {
    std::ifstream file(path, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(file), {});
    const std::string magic = "pyctrace1\n";
    if (!bytes_.starts_with(magic)) throw std::runtime_error(path + " is no recorded trace");
    at_ = magic.size();
    const auto count = take<uint32_t>();
    process_ = symbols.intern_process({100, symbols.intern_string("python"), 0});
    for (uint32_t i = 0; i < count; ++i) {
      const std::string name = text(), file_name = text();
      functions_.push_back(
          symbols.intern_function({symbols.intern_string(name), symbols.intern_file(symbols.intern_string(file_name)),
                                   take<uint32_t>(), v1::FRAME_KIND_PYTHON}));
    }
    begin_ = at_;
  }

  size_t size() const { return (bytes_.size() - begin_) / kEventBytes; }

  // The next `count` events or fewer; nothing at the end.
  TraceColumns slice(size_t count, int64_t& to_ns) {
    std::map<ThreadId, std::vector<TraceEvent>> by_thread;
    for (size_t i = 0; i < count && at_ + kEventBytes <= bytes_.size(); ++i) {
      const auto time = static_cast<int64_t>(take<uint64_t>());
      const auto thread = take<uint32_t>(), what = take<uint32_t>(), line = take<uint32_t>();
      const auto type = static_cast<TraceType>(what >> 28);
      const FunctionId function = functions_.at(what & 0xFFFFFFF);
      const uint32_t id =
          type == TraceType::kLine ? index(symbols_.intern_location({function, line, -1})) : index(function);
      by_thread[thread_of(thread)].push_back({.time_ns = time, .type = type, .id = id});
      to_ns = time + 1;
    }
    TraceColumns slice;
    for (const auto& [thread, events] : by_thread) {
      slice.runs.push_back({thread, stacks_[thread], {}, 0});
      for (const TraceEvent& e : events) {
        slice.push_back(e);
        stacks_[thread] = steps_(symbols_, stacks_[thread], e.type, e.id, [&](const StackStep& step) {
          return symbols_.intern_stack(step.parent, symbols_.intern_location(step.location));
        });
      }
    }
    return slice;
  }
  void rewind() { at_ = begin_; }

 private:
  static constexpr size_t kEventBytes = 20;
  template <class T>
  T take() {
    T value{};
    if (at_ + sizeof value > bytes_.size()) throw std::runtime_error("a recorded trace is cut off");
    std::memcpy(&value, bytes_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  std::string text() {
    const auto size = take<uint32_t>();
    std::string result = bytes_.substr(at_, size);
    at_ += size;
    return result;
  }
  ThreadId thread_of(uint32_t tid) {
    const auto it = threads_.find(tid);
    if (it != threads_.end()) return it->second;
    return threads_[tid] = symbols_.add_thread(process_, static_cast<int32_t>(tid), {});
  }

  Symbols& symbols_;
  std::string bytes_;
  size_t at_ = 0, begin_ = 0;
  ProcessId process_{};
  std::vector<FunctionId> functions_;
  std::map<uint32_t, ThreadId> threads_;
  std::map<ThreadId, StackId> stacks_;
  StackSteps steps_;
};

}  // namespace pycroscope::test

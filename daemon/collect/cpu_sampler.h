// The kernel side of the on-CPU sampler: the BPF program, its settings and its ring.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include "analysis/model/result.h"
#include "bpf/include/records.h"
#include "daemon/python/interpreter.h"

namespace pycroscope {

// Loading is the dear part and does not depend on the target: a service keeps one loaded for the next recording. One
// recording each. One owner thread.
class CpuSampler {
 public:
  static constexpr size_t kRingBytes = size_t{4} << 20;
  static constexpr size_t kMaxRingBytes = size_t{32} << 20;

  // `ring_bytes` is a power of two. Fails with a sentence: rights (kNotPermitted), a kernel that cannot do it.
  static Result<std::unique_ptr<CpuSampler>> load(size_t ring_bytes = kRingBytes);
  ~CpuSampler();

  size_t ring_bytes() const;
  // Before the first tick. Fails when the layout is out of what the program can follow.
  Status configure(const PythonRuntime& python);
  int program() const;  // for CpuClockEvent::start

  // Of all ticks so far.
  pyc_counters counters() const;

  // A whole record of the ring: pyc_sample or pyc_code_record with what follows it, 8-byte aligned.
  using Visitor = std::function<void(std::span<const std::byte> record)>;
  // Waits up to `timeout` (the ring wakes us only as it fills up), then visits all that is there.
  Status drain(std::chrono::milliseconds timeout, const Visitor& visit);

 private:
  struct Loaded;
  explicit CpuSampler(std::unique_ptr<Loaded> loaded);
  std::unique_ptr<Loaded> loaded_;
};

}  // namespace pycroscope

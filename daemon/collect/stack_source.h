// Where stacks come from: BPF programs (kernel_source.h), or reads from outside where the kernel or the rights do not
// allow those (read_source.h). What they deliver are the records of bpf/include/records.h.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "analysis/model/result.h"
#include "bpf/include/records.h"
#include "daemon/collect/tick_grid.h"
#include "daemon/python/interpreter.h"
#include "daemon/target/process.h"
#include "pycroscope/v1/session.pb.h"

namespace pycroscope {

// A whole record with what follows it, 8-byte aligned; only valid during the call. Records of one thread come in order
// of time; a PYC_RECORD_CODE or PYC_RECORD_TASK before the first sample that needs it, a PYC_RECORD_LIFECYCLE before
// the first record of what it announces.
using RecordVisitor = std::function<void(std::span<const std::byte> record)>;

// Copies the head of a record into `head` if it is of this type and whole.
template <class Head>
bool record_is(std::span<const std::byte> record, pyc_record_type type, Head& head) {
  uint32_t actual = 0;
  if (record.size() < sizeof head) return false;
  std::memcpy(&actual, record.data(), sizeof actual);
  if (actual != type) return false;
  std::memcpy(&head, record.data(), sizeof head);
  return true;
}

struct LossCount {
  v1::LossReason reason;
  uint64_t count;  // ticks
};

// One owner thread: the recording's.
class StackSource {
 public:
  virtual ~StackSource() = default;

  // From now on `process` is sampled, all threads, also those born later. Call it again when it runs another program.
  // `python` null: its Python is not known (yet), its samples are without Python frames.
  virtual Status watch(std::shared_ptr<const Process> process, const PythonRuntime* python) = 0;
  // From now on samples of process `pid`, which is watched, say which asyncio task the thread executes. (A process
  // whose tasks are known when it is to be watched needs no call.)
  virtual void watch_tasks(pid_t pid, const pyc_tasks& tasks) = 0;
  // Its samples come to an end.
  virtual void forget(pid_t pid) = 0;

  // Waits up to `timeout` for something to come, then visits what is there; of very much only a part.
  virtual Status drain(std::chrono::milliseconds timeout, const RecordVisitor& visit) = 0;
  // To be called about once a second, and once more after stop(): waits that still last are visited as far as they got,
  // what could not be recorded since the last call is returned, each reason at most once.
  virtual Result<std::vector<LossCount>> account(const RecordVisitor& visit) = 0;
  // No more ticks. What is there can still be drained.
  virtual Status stop() = 0;

  // From now on one of `stride` ticks is recorded; the others are lost to LOSS_REASON_SELF_LIMIT.
  virtual void set_stride(uint32_t stride) = 0;

  // By which waits are counted: see pyc_sample.stride.
  virtual TickGrid grid() const = 0;
  // How often stacks could not be read, and why mostly; empty when all could be.
  virtual std::string explain_failures() const = 0;
};

}  // namespace pycroscope

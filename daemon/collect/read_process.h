// One process sampled by reads from outside: its threads at each tick.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "daemon/collect/read_thread.h"
#include "daemon/collect/remote_walker.h"
#include "daemon/collect/stack_source.h"
#include "daemon/collect/tick_grid.h"
#include "daemon/python/interpreter.h"
#include "daemon/target/live_memory.h"
#include "daemon/target/process.h"
#include "pycroscope/v1/session.pb.h"

namespace pycroscope {

// Ticks that were not recorded.
struct ReadLosses {
  uint64_t late = 0;
  uint64_t skipped = 0;                // on purpose
  uint64_t errors[PYC_ERROR_COUNT]{};  // by enum pyc_error; PYC_OK: those that were, in cpu and gil mode
};

struct GridTick {
  uint64_t number = 0;
  uint64_t missed = 0;  // late ones before those that it stands for
  uint32_t stride = 1;  // how many it stands for: itself and those just before it
};

// A process while it runs one program. One owner thread.
class ReadProcess {
 public:
  // `python` null: none that is known, samples are without Python frames. `cpu_begin_ns`: the CPU time of the process
  // from which on it is sampled.
  ReadProcess(std::shared_ptr<const Process> process, const PythonRuntime* python, v1::SampleMode mode, TickGrid grid,
              uint64_t cpu_begin_ns);

  const std::shared_ptr<const Process>& process() const { return process_; }
  const PythonRuntime* python() const { return python_ ? &*python_ : nullptr; }
  // See StackSource.
  void watch_tasks(const pyc_tasks& tasks) {
    if (python_) python_->tasks = tasks;
  }

  // A tick of the grid has come.
  void take_tick(const GridTick& tick, const RecordVisitor& visit);
  // The waits that last, as far as they got.
  void visit_waits(const RecordVisitor& visit);
  // Those since the last call. `final`: what should have been sampled and was not will not come any more.
  ReadLosses take_losses(bool final);

 private:
  void scan(const RecordVisitor& visit);
  void end_thread(ReadThread& thread, const RecordVisitor& visit);
  // False when it has ended.
  bool sample_thread(ReadThread& thread, const RecordVisitor& visit);
  void sample_gil_holders(const RecordVisitor& visit);
  // False when the stack could not be read, which is counted.
  bool walk(const ReadThread& thread, const RecordVisitor& visit, RemoteStack& stack);
  void begin_wait(ReadThread& thread, const RecordVisitor& visit);
  void end_wait(ReadThread& thread, uint64_t last_tick, const RecordVisitor& visit);
  void write(const RemoteStack& stack, const RecordVisitor& visit);

  const std::shared_ptr<const Process> process_;
  std::optional<PythonRuntime> python_;
  const v1::SampleMode mode_;
  const TickGrid grid_;
  const LiveMemory memory_;
  std::optional<RemoteWalker> walker_;
  std::map<pid_t, ReadThread> threads_;
  std::vector<ReadThread*> active_;  // those looked at each tick
  uint64_t next_scan_ns_ = 0;
  GridTick tick_;  // the last
  RemoteStack stack_;
  std::vector<std::byte> record_;
  ReadLosses losses_;
  uint64_t cpu_begin_ns_;
  uint64_t cpu_ns_;
  uint64_t happened_ = 0;  // ticks recorded or reported as lost
};

}  // namespace pycroscope

// The threads of a session: which thread a tid of a sample is, and what it is called.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "analysis/model/symbols.h"
#include "daemon/python/thread_names.h"
#include "daemon/target/process.h"

namespace pycroscope {

// A thread is named as Python code named it, else as the kernel does. One owner thread; `process` and `names` must
// outlive it.
class ThreadTable {
 public:
  ThreadTable(const Process& process, ProcessId process_id, ThreadNameReader& names)
      : process_(process), process_id_(process_id), names_(names) {}

  // `ident` is pthread_self() of the thread.
  ThreadId intern(pid_t tid, uint64_t ident, int64_t now_ns, Symbols& symbols);
  // Reads the names again, and forgets tids that other threads have taken over. To be called about each second.
  void refresh(int64_t now_ns, Symbols& symbols);

 private:
  struct Known {
    ThreadId id{};
    uint64_t ident = 0;
    uint64_t start_time_ticks = 0;  // 0: it had ended when it was first seen
    bool active = true;             // sampled since the last refresh
  };
  std::optional<std::string> name_of(pid_t tid, uint64_t ident) const;
  void read_names(int64_t now_ns);

  const Process& process_;
  ProcessId process_id_;
  ThreadNameReader& names_;
  ThreadNames python_names_;
  int64_t names_read_ns_ = 0;
  std::unordered_map<pid_t, Known> threads_;
};

}  // namespace pycroscope

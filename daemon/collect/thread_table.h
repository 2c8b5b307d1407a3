// The threads of a session: which thread a tid of a sample is, and what it is called.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "analysis/model/symbols.h"
#include "daemon/python/thread_names.h"
#include "daemon/target/process.h"

namespace pycroscope {

// A thread is named as Python code named it, else as the kernel does. One owner thread; `process` must outlive it.
class ThreadTable {
 public:
  ThreadTable(const Process& process, ProcessId process_id) : process_(process), process_id_(process_id) {}

  // Where Python's names are read from now on; it must outlive the table.
  void set_names(ThreadNameReader* names) { names_ = names; }

  // `ident` is pthread_self() of the thread.
  ThreadId intern(pid_t tid, uint64_t ident, Symbols& symbols);
  // To be called after each round of samples: names threads that are new and, about each second, all that run; forgets
  // tids that other threads have taken over.
  void update(int64_t now_ns, Symbols& symbols);

 private:
  struct Known {
    ThreadId id{};
    uint64_t ident = 0;
    uint64_t start_time_ticks = 0;  // 0: it had ended when it was first seen
    bool active = true;             // sampled since it was last looked at
    bool is_new = true;
    bool has_python_name = false;
  };
  // False when the tid is another thread's by now.
  bool name(pid_t tid, Known& thread, const ThreadNames& names, Symbols& symbols) const;

  const Process& process_;
  ProcessId process_id_;
  ThreadNameReader* names_ = nullptr;  // null: no Python (yet)
  std::unordered_map<pid_t, Known> threads_;
  bool has_new_ = false;
  int64_t named_ns_ = 0, refreshed_ns_ = 0;
};

}  // namespace pycroscope

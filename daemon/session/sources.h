// Stores the source files of the code that a recording sees. A thread of its own reads them, because it reads with the
// caller's rights and may wait for a slow disk.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "daemon/session/caller.h"
#include "daemon/session/source_file.h"
#include "daemon/store/store.h"
#include "daemon/target/process.h"

namespace pycroscope {

// One owner thread: the recording's.
class Sources {
 public:
  // Opens the target's directories in the new thread, with the caller's rights.
  Sources(const Process& process, Caller caller);
  // Ends the thread; files that were not read yet are not stored.
  ~Sources();
  Sources(const Sources&) = delete;
  Sources& operator=(const Sources&) = delete;

  // Asks for the files that are new among the symbols. Those that cannot be read are left out.
  void ask_for_new_files(const Symbols& symbols);
  // Hands over what has been read: some MiB at most, so that it does not take long.
  Status store(SessionWriter& writer);
  // Waits at most `patience` until all files are stored.
  Status finish(SessionWriter& writer, std::chrono::milliseconds patience);
  // CPU time of the reading thread.
  int64_t cpu_ns() const;

 private:
  struct Wanted {
    FileId file;
    std::string path;
  };
  struct Found {
    FileId file;
    std::string content;
  };
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Wanted> wanted;
    std::deque<Found> found;
    size_t found_bytes = 0;
    bool reading = false;  // one that is in neither queue
    bool stopping = false;
    bool ended = false;
  };

  Status store_found(SessionWriter& writer, size_t at_most_bytes);
  static void read_files(const Process& process, const Caller& caller, Shared& shared);

  Shared shared_;
  uint32_t files_asked_ = 0;
  std::thread thread_;
};

}  // namespace pycroscope

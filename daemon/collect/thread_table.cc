#include "daemon/collect/thread_table.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "daemon/os/file.h"
#include "daemon/python/unicode.h"
#include "daemon/target/proc_text.h"

namespace pycroscope {
namespace {

// New threads are named soon, since they may be short-lived; but they come in bursts, and a look at all names is dear.
constexpr int64_t kNewPauseNs = 20'000'000;
constexpr int64_t kRefreshPauseNs = 1'000'000'000;

std::optional<ProcStat> read_stat(pid_t pid, pid_t tid) {
  const auto text = read_file(fmt::format("/proc/{}/task/{}/stat", pid, tid), 4096);
  return text ? parse_stat(*text) : std::nullopt;
}

}  // namespace

ThreadId ThreadTable::intern(pid_t tid, uint64_t ident, Symbols& symbols) {
  if (const auto it = threads_.find(tid); it != threads_.end() && it->second.ident == ident) {
    it->second.active = true;
    return it->second.id;
  }
  const auto stat = read_stat(process_.pid(), tid);
  const std::string name = stat ? printable_utf8(stat->name) : fmt::format("thread {}", tid);
  const ThreadId id = symbols.add_thread(process_id_, tid, symbols.intern_string(name));
  threads_.insert_or_assign(tid,
                            Known{.id = id, .ident = ident, .start_time_ticks = stat ? stat->start_time_ticks : 0});
  has_new_ = true;
  return id;
}

// An ident soon belongs to the next thread: its name counts only if the thread of this tid is still there after the
// names were read.
bool ThreadTable::name(pid_t tid, Known& thread, const ThreadNames& names, Symbols& symbols) const {
  const auto stat = read_stat(process_.pid(), tid);
  if (!stat) return thread.is_new;  // its last samples may be still to come
  if (stat->start_time_ticks != thread.start_time_ticks) return false;
  const auto it = names.find(thread.ident);
  // Python forgets a thread's name a moment before it ends.
  if (it == names.end() && thread.has_python_name) return true;
  thread.has_python_name = it != names.end();
  const std::string name = thread.has_python_name ? it->second : printable_utf8(stat->name);
  symbols.rename_thread(thread.id, symbols.intern_string(name));
  return true;
}

void ThreadTable::update(int64_t now_ns, Symbols& symbols) {
  const bool refresh = now_ns - refreshed_ns_ >= kRefreshPauseNs;
  if (!refresh && !(has_new_ && now_ns - named_ns_ >= kNewPauseNs)) return;
  named_ns_ = now_ns;
  if (refresh) refreshed_ns_ = now_ns;
  has_new_ = false;
  const ThreadNames names = names_ ? names_->read().value_or(ThreadNames{}) : ThreadNames{};
  for (auto it = threads_.begin(); it != threads_.end();) {
    auto& [tid, thread] = *it;
    const bool look = thread.is_new || (refresh && std::exchange(thread.active, false));
    const bool keep = !look || name(tid, thread, names, symbols);
    thread.is_new = false;
    it = keep ? std::next(it) : threads_.erase(it);
  }
}

}  // namespace pycroscope

#include "daemon/collect/thread_table.h"

#include <fmt/format.h>

#include "daemon/os/file.h"
#include "daemon/python/unicode.h"
#include "daemon/target/proc_text.h"

namespace pycroscope {
namespace {

// Threads come in bursts: their names are read together.
constexpr int64_t kNamesPauseNs = 100'000'000;

std::optional<ProcStat> read_stat(pid_t pid, pid_t tid) {
  const auto text = read_file(fmt::format("/proc/{}/task/{}/stat", pid, tid), 4096);
  return text ? parse_stat(*text) : std::nullopt;
}

}  // namespace

void ThreadTable::read_names(int64_t now_ns) {
  if (auto names = names_.read()) python_names_ = *std::move(names);
  names_read_ns_ = now_ns;
}

std::optional<std::string> ThreadTable::name_of(pid_t tid, uint64_t ident) const {
  if (const auto it = python_names_.find(ident); it != python_names_.end()) return it->second;
  if (const auto stat = read_stat(process_.pid(), tid)) return printable_utf8(stat->name);
  return std::nullopt;
}

ThreadId ThreadTable::intern(pid_t tid, uint64_t ident, int64_t now_ns, Symbols& symbols) {
  if (const auto it = threads_.find(tid); it != threads_.end() && it->second.ident == ident) {
    it->second.active = true;
    return it->second.id;
  }
  if (!python_names_.contains(ident) && now_ns - names_read_ns_ > kNamesPauseNs) read_names(now_ns);
  const auto stat = read_stat(process_.pid(), tid);
  const std::string name = name_of(tid, ident).value_or(fmt::format("thread {}", tid));
  const ThreadId id = symbols.add_thread(process_id_, tid, symbols.intern_string(name));
  threads_.insert_or_assign(tid,
                            Known{.id = id, .ident = ident, .start_time_ticks = stat ? stat->start_time_ticks : 0});
  return id;
}

void ThreadTable::refresh(int64_t now_ns, Symbols& symbols) {
  read_names(now_ns);
  for (auto it = threads_.begin(); it != threads_.end();) {
    auto& [tid, thread] = *it;
    if (!std::exchange(thread.active, false)) {
      ++it;
      continue;
    }
    const auto stat = read_stat(process_.pid(), tid);
    if (!stat || stat->start_time_ticks != thread.start_time_ticks) {
      it = threads_.erase(it);
      continue;
    }
    if (const auto name = name_of(tid, thread.ident)) symbols.rename_thread(thread.id, symbols.intern_string(*name));
    ++it;
  }
}

}  // namespace pycroscope

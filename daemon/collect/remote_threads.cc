#include "daemon/collect/remote_threads.h"

#include <algorithm>

#include "daemon/os/clock.h"
#include "daemon/python/frames.h"
#include "daemon/target/namespaces.h"
#include "daemon/target/page_cache.h"
#include "daemon/target/thread_files.h"

namespace pycroscope {
namespace {

constexpr int64_t kShortestPauseNs = 2'000'000, kLongestPauseNs = 1'000'000'000;

// Where struct pthread has the kernel's id of its thread, on x86-64: musl's src/internal/pthread_impl.h, glibc's
// nptl/descr.h. In glibc the former is part of a random number.
constexpr uint64_t kMuslTid = 48, kGlibcTid = 720;

}  // namespace

uint64_t RemoteThreads::own_tid(pid_t tid) {
  const auto [known, is_new] = own_tids_.try_emplace(tid, static_cast<uint64_t>(tid));
  if (!is_new) return known->second;
  // The last number is that of the innermost namespace, in which the thread lives.
  const auto ids = ids_in_namespaces(tid);
  if (!ids.empty()) known->second = ids.back();
  return known->second;
}

uint64_t RemoteThreads::tid_of_pthread(uint64_t thread_id) {
  if (!all_own_tids_) {
    all_own_tids_.emplace();
    for (const pid_t tid : thread_ids(process_.pid())) all_own_tids_->insert(own_tid(tid));
  }
  for (const uint64_t offset : {kMuslTid, kGlibcTid}) {
    const auto tid = memory_.read<uint32_t>(RemoteAddress(thread_id + offset));
    if (tid && all_own_tids_->contains(*tid)) return *tid;
  }
  return 0;
}

void RemoteThreads::forget(pid_t tid) {
  by_own_tid_.erase(own_tid(tid));
  own_tids_.erase(tid);
  missing_.erase(tid);
}

Status RemoteThreads::look_again() {
  const int64_t now = monotonic_ns();
  if (now < looked_ns_ + kShortestPauseNs) return {};
  looked_ns_ = now;
  return look();
}

Status RemoteThreads::look() {
  const PageCache pages(memory_);
  PYC_TRY(const auto threads, walk_threads(pages, python_, 0));
  by_own_tid_.clear();
  own_tid_of_.clear();
  one_of_each_.clear();
  all_own_tids_.reset();
  for (size_t i = 0; i < threads.size(); ++i) {
    const PythonThread& thread = threads[i];
    const uint64_t tid = thread.native_id != 0 ? thread.native_id : tid_of_pthread(thread.thread_id);
    by_own_tid_.try_emplace(tid, RemoteThread{thread.tstate, thread.thread_id});
    own_tid_of_.emplace(thread.tstate.address(), tid);
    if (i == 0 || thread.interpreter != threads[i - 1].interpreter) one_of_each_.push_back(thread.tstate);
  }
  return {};
}

Result<std::optional<RemoteThread>> RemoteThreads::find(pid_t tid) {
  const uint64_t own = own_tid(tid);
  if (const auto known = by_own_tid_.find(own); known != by_own_tid_.end()) return known->second;
  const int64_t now = monotonic_ns();
  Missing& missing = missing_.try_emplace(tid, Missing{.next_look_ns = 0, .pause_ns = kShortestPauseNs}).first->second;
  if (now < missing.next_look_ns) return std::nullopt;
  missing.next_look_ns = now + missing.pause_ns;
  missing.pause_ns = std::min(2 * missing.pause_ns, kLongestPauseNs);
  PYC_CHECK(look_again());
  const auto found = by_own_tid_.find(own);
  if (found == by_own_tid_.end()) return std::nullopt;
  missing_.erase(tid);
  return found->second;
}

std::optional<pid_t> RemoteThreads::tid_of(RemoteAddress tstate) {
  if (!own_tid_of_.contains(tstate.address())) static_cast<void>(look_again());
  const auto own = own_tid_of_.find(tstate.address());
  if (own == own_tid_of_.end()) return std::nullopt;
  if (own_tid(process_.pid()) == static_cast<uint64_t>(process_.pid())) return static_cast<pid_t>(own->second);
  for (const auto& [tid, own_tid] : own_tids_)
    if (own_tid == own->second) return tid;
  return std::nullopt;
}

const std::vector<RemoteAddress>& RemoteThreads::one_of_each_interpreter() {
  static_cast<void>(one_of_each_.empty() ? look_again() : Status());
  return one_of_each_;
}

bool RemoteThreads::holds(const TargetMemory& memory, const RemoteThread& thread) const {
  const pyc_layout& layout = python_.layout;
  const auto id = memory.read<uint64_t>(thread.tstate + layout.thread_id);
  const auto previous = memory.read_pointer(thread.tstate);
  const auto interpreter = memory.read_pointer(thread.tstate + layout.thread_interp);
  if (!id || !previous || !interpreter || *id != thread.thread_id) return false;
  const auto link =
      memory.read_pointer(*previous ? *previous + layout.thread_next : *interpreter + layout.interpreter_threads_head);
  return link && *link == thread.tstate;
}

}  // namespace pycroscope

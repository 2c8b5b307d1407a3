#include "daemon/session/sources.h"

#include <pthread.h>
#include <time.h>

#include <utility>

#include "daemon/session/thread_rights.h"

namespace pycroscope {
namespace {

constexpr size_t kBytesAtOnce = 2 << 20;
// The reader waits while this much has been read and not been stored.
constexpr size_t kAheadBytes = 16 << 20;

}  // namespace

Sources::Sources(const Process& process, Caller caller)
    : thread_([this, &process, caller = std::move(caller)] { read_files(process, caller, shared_); }) {}

Sources::~Sources() {
  {
    const std::lock_guard lock(shared_.mutex);
    shared_.stopping = true;
  }
  shared_.changed.notify_all();
  thread_.join();
}

void Sources::read_files(const Process& process, const Caller& caller, Shared& shared) {
  const Status rights = take_rights_of(caller);
  const auto directories = rights ? TargetDirectories::open(process) : std::unexpected(rights.error());
  std::unique_lock lock(shared.mutex);
  while (directories && !shared.stopping) {
    if (shared.wanted.empty() || shared.found_bytes > kAheadBytes) {
      shared.changed.wait(lock);
      continue;
    }
    const Wanted wanted = std::move(shared.wanted.front());
    shared.wanted.pop_front();
    shared.reading = true;
    lock.unlock();
    Result<std::string> content = directories->read(wanted.path);
    lock.lock();
    shared.reading = false;
    if (content) {
      shared.found_bytes += content->size();
      shared.found.push_back({wanted.file, *std::move(content)});
    }
    shared.changed.notify_all();
  }
  shared.ended = true;
  shared.changed.notify_all();
}

void Sources::ask_for_new_files(const Symbols& symbols) {
  const uint32_t files = symbols.mark().files;
  if (files == files_asked_) return;
  const std::lock_guard lock(shared_.mutex);
  for (; files_asked_ < files; ++files_asked_) {
    const auto file = static_cast<FileId>(files_asked_);
    const std::string path(symbols.string(symbols.file(file).path));
    if (names_a_file(path)) shared_.wanted.push_back({file, path});
  }
  shared_.changed.notify_all();
}

Status Sources::store_found(SessionWriter& writer, size_t at_most_bytes) {
  size_t stored = 0;
  while (stored < at_most_bytes) {
    Found found;
    {
      const std::lock_guard lock(shared_.mutex);
      if (shared_.found.empty()) return {};
      found = std::move(shared_.found.front());
      shared_.found.pop_front();
      shared_.found_bytes -= found.content.size();
      shared_.changed.notify_all();
    }
    stored += found.content.size();
    if (const auto hash = writer.add_source(found.file, found.content); !hash) return std::unexpected(hash.error());
  }
  return {};
}

Status Sources::store(SessionWriter& writer) { return store_found(writer, kBytesAtOnce); }

Status Sources::finish(SessionWriter& writer, std::chrono::milliseconds patience) {
  ask_for_new_files(writer.symbols());
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (true) {
    PYC_CHECK(store_found(writer, SIZE_MAX));
    std::unique_lock lock(shared_.mutex);
    const bool done = shared_.ended || (shared_.wanted.empty() && !shared_.reading);
    if (done && shared_.found.empty()) return {};
    if (shared_.found.empty() && shared_.changed.wait_until(lock, deadline) == std::cv_status::timeout) return {};
  }
}

int64_t Sources::cpu_ns() const {
  clockid_t clock;
  timespec used{};
  if (::pthread_getcpuclockid(const_cast<std::thread&>(thread_).native_handle(), &clock) != 0) return 0;
  if (::clock_gettime(clock, &used) != 0) return 0;
  return used.tv_sec * 1'000'000'000 + used.tv_nsec;
}

}  // namespace pycroscope

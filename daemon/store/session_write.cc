#include "daemon/store/session_write.h"

#include <utility>

#include "daemon/os/clock.h"
#include "daemon/store/keys.h"

namespace pycroscope {
namespace {

std::vector<KeyValue> entries_of(const SessionWrite& write) {
  std::vector<KeyValue> entries;
  if (write.symbols) entries.push_back(*write.symbols);
  if (write.samples.size() == 0) return entries;
  entries.push_back(
      sealed_entry(numbered_key(KeyKind::kSummary, write.block), encode_summary(summarize(write.samples))));
  entries.push_back(
      sealed_entry(numbered_key(KeyKind::kBlock, write.block), encode_block(write.samples, write.effort)));
  return entries;
}

}  // namespace

KeyValue sealed_entry(std::string key, std::string_view value) {
  std::string stored = seal(key, value);
  return {std::move(key), std::move(stored)};
}

void set_counts(v1::Session& session, const v1::Loss& loss) {
  session.set_events(loss.recorded());
  session.set_samples(loss.recorded());
  *session.mutable_loss() = loss;
}

SessionWritten write_session(SessionWrite write, DatabaseWriter& database, SessionDir& directory) {
  const int64_t cpu_before_ns = thread_cpu_ns();
  SessionWritten written;
  written.samples = database.write(entries_of(write), write.durable);
  written.sources = written.samples && !write.sources.empty() ? database.write(write.sources, false) : written.samples;
  written.bytes = directory.bytes();
  set_counts(write.session, written.samples ? write.if_stored : write.if_failed);
  write.session.set_bytes(written.bytes);
  written.session = directory.write_meta(write.session, false);
  written.cpu_ns = thread_cpu_ns() - cpu_before_ns;
  return written;
}

}  // namespace pycroscope

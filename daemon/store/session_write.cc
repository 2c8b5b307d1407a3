#include "daemon/store/session_write.h"

#include <utility>

#include "daemon/os/clock.h"
#include "daemon/store/bytes.h"
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

Status drop_blocks(const SessionWrite& write, uint64_t discarded, DatabaseWriter& database) {
  std::vector<std::string> keys;
  for (const uint32_t block : write.dropped)
    for (const KeyKind kind : {KeyKind::kSummary, KeyKind::kBlock}) keys.push_back(numbered_key(kind, block));
  ByteWriter count;
  count.varint(discarded);
  return database.replace(keys, sealed_entry(numbered_key(KeyKind::kRing, 0), count.take()));
}

}  // namespace

KeyValue sealed_entry(std::string key, std::string_view value) {
  std::string stored = seal(key, value);
  return {std::move(key), std::move(stored)};
}

void set_counts(v1::Session& session, const v1::Loss& loss) {
  const uint64_t kept = loss.recorded() - loss.discarded();
  session.set_events(kept);
  session.set_samples(kept);
  *session.mutable_loss() = loss;
}

SessionWritten write_session(SessionWrite write, DatabaseWriter& database, SessionDir& directory) {
  const int64_t cpu_before_ns = thread_cpu_ns();
  SessionWritten written;
  written.samples = database.write(entries_of(write), write.durable);
  written.sources = written.samples && !write.sources.empty() ? database.write(write.sources, false) : written.samples;
  v1::Loss loss = written.samples ? std::move(write.if_stored) : std::move(write.if_failed);
  if (!write.dropped.empty()) {
    const uint64_t discarded = loss.discarded() + write.dropped_samples;
    written.dropped = drop_blocks(write, discarded, database);
    if (written.dropped) loss.set_discarded(discarded);
  }
  written.bytes = directory.bytes();
  set_counts(write.session, loss);
  write.session.set_bytes(written.bytes);
  written.session = directory.write_meta(write.session, false);
  written.cpu_ns = thread_cpu_ns() - cpu_before_ns;
  return written;
}

}  // namespace pycroscope

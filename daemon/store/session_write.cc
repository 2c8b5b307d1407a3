#include "daemon/store/session_write.h"

#include <utility>

#include "daemon/os/clock.h"
#include "daemon/store/bytes.h"
#include "daemon/store/keys.h"
#include "daemon/store/trace_codec.h"

namespace pycroscope {
namespace {

std::vector<KeyValue> entries_of(const SessionWrite& write) {
  std::vector<KeyValue> entries;
  if (write.symbols) entries.push_back(*write.symbols);
  for (const TraceBlock& block : write.trace.blocks) {
    entries.push_back(sealed_entry(numbered_key(KeyKind::kTraceSummary, block.number),
                                   encode_trace_summary(summarize(block.events))));
    entries.push_back(sealed_entry(numbered_key(KeyKind::kTrace, block.number), encode_trace(block.events)));
  }
  for (const NumberedBucket& bucket : write.trace.buckets) {
    const uint32_t number = bucket_number(bucket.level, bucket.number);
    entries.push_back(
        sealed_entry(numbered_key(KeyKind::kBucketSummary, number), encode_bucket_summary(bucket.summary)));
    entries.push_back(sealed_entry(numbered_key(KeyKind::kBucket, number), encode_bucket(bucket.bucket)));
  }
  if (write.samples.size() == 0) return entries;
  entries.push_back(
      sealed_entry(numbered_key(KeyKind::kSummary, write.block), encode_summary(summarize(write.samples))));
  entries.push_back(
      sealed_entry(numbered_key(KeyKind::kBlock, write.block), encode_block(write.samples, write.effort)));
  return entries;
}

Status drop(const SessionWrite& write, uint64_t discarded, DatabaseWriter& database) {
  ByteWriter count;
  count.varint(discarded);
  return database.replace(write.drop.keys, sealed_entry(numbered_key(KeyKind::kRing, 0), count.take()),
                          write.drop.reclaim);
}

}  // namespace

KeyValue sealed_entry(std::string key, std::string_view value) {
  std::string stored = seal(key, value);
  return {std::move(key), std::move(stored)};
}

void set_counts(v1::Session& session, const v1::Loss& loss, uint64_t trace_events) {
  const uint64_t kept = loss.recorded() - loss.discarded();
  session.set_events(kept);
  session.set_samples(kept - trace_events);
  *session.mutable_loss() = loss;
}

SessionWritten write_session(SessionWrite write, DatabaseWriter& database, SessionDir& directory) {
  const int64_t cpu_before_ns = thread_cpu_ns();
  SessionWritten written;
  written.samples = database.write(entries_of(write), write.durable);
  written.sources = written.samples && !write.sources.empty() ? database.write(write.sources, false) : written.samples;
  v1::Loss loss = written.samples ? std::move(write.if_stored) : std::move(write.if_failed);
  if (!write.drop.keys.empty()) {
    const uint64_t discarded = loss.discarded() + write.drop.samples + write.drop.trace_events;
    written.dropped = drop(write, discarded, database);
    if (written.dropped) loss.set_discarded(discarded);
  }
  written.bytes = directory.bytes();
  uint64_t trace_events = written.samples ? write.trace_events_if_stored : write.trace_events_if_failed;
  if (written.dropped) trace_events -= write.drop.trace_events;
  set_counts(write.session, loss, trace_events);
  write.session.set_bytes(written.bytes);
  written.session = directory.write_meta(write.session, false);
  written.cpu_ns = thread_cpu_ns() - cpu_before_ns;
  return written;
}

}  // namespace pycroscope

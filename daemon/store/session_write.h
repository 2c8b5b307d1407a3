// One write to a session: what it consists of and how it went. It may take as long as the disk likes, so it is done in
// a thread of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analysis/model/events.h"
#include "analysis/model/result.h"
#include "daemon/store/block_codec.h"
#include "daemon/store/database.h"
#include "daemon/store/raw_retention.h"
#include "daemon/store/session_dir.h"
#include "daemon/store/trace_log.h"
#include "pycroscope/v1/session.pb.h"

namespace pycroscope {

struct SessionWrite {
  std::optional<KeyValue> symbols = {};
  // Samples of block `block`, all that it has so far; none: the block is stored already as it is.
  SampleColumns samples = {};
  uint32_t block = 0;
  Effort effort = Effort::kQuick;
  TracePart trace = {};  // with the samples: all of it or none
  std::vector<KeyValue> sources;
  RawRetention::Drop drop = {};  // what is not to be kept any more
  bool durable = false;          // on the disk when it is over
  // session.pb, but for counts, losses and bytes: these depend on how it goes.
  v1::Session session;
  v1::Loss if_stored, if_failed;
  uint64_t trace_events_if_stored = 0, trace_events_if_failed = 0;  // of the whole session
};

struct SessionWritten {
  Status samples;  // with the symbols: all of them or none
  Status sources;  // all of them or none; none when the samples could not be stored
  Status dropped;  // all of them or none
  Status session;
  uint64_t bytes = 0;  // of the session
  int64_t cpu_ns = 0;  // of this thread

  // Why something is missing. Without a source a session is still whole.
  Status status() const { return samples ? session : samples; }
};

// `value` under `key`, with its checksum.
KeyValue sealed_entry(std::string key, std::string_view value);

SessionWritten write_session(SessionWrite write, DatabaseWriter& database, SessionDir& directory);

// The counts and losses of a session that has these; `trace_events` of what is kept are no samples.
void set_counts(v1::Session& session, const v1::Loss& loss, uint64_t trace_events);

}  // namespace pycroscope

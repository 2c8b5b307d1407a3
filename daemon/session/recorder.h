// One recording, step by step: target → collector → session. No threads of its own but those that read sources
// and that write to the disk; one owner thread. recording.h runs it and shares what it sees.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "daemon/collect/collector.h"
#include "daemon/collect/stack_source.h"
#include "daemon/python/interpreter.h"
#include "daemon/session/caller.h"
#include "daemon/session/live_top.h"
#include "daemon/session/sampler_cache.h"
#include "daemon/session/self_limit.h"
#include "daemon/session/sources.h"
#include "daemon/store/store.h"
#include "daemon/target/process.h"
#include "pycroscope/v1/service.pb.h"

namespace pycroscope {

// What a service wants of a recording beside what its request says.
struct RecordingTerms {
  // Percent of a core that it may use now; empty: no more than its own limit says. Any thread may call it.
  std::function<double()> allowance = {};
  uint64_t max_memory_bytes = 0;  // instead of the request's, of the whole process; 0: the request's
  std::function<void()> on_end = {};
};

class Recorder {
 public:
  // Why a recording ends; becomes session.end_reason.
  static constexpr std::string_view kDuration = "duration";
  static constexpr std::string_view kStopped = "stopped";
  static constexpr std::string_view kTargetExited = "target exited";
  static constexpr std::string_view kLimit = "limit";
  static constexpr std::string_view kServiceStopped = "service stopped";
  static constexpr std::string_view kQuota = "quota";

  // Attaches: afterwards samples are being taken. `requested_ns` is when the request came. On failure nothing is left
  // behind. Checked in this order: the configuration (kInvalid), the process exists (kTargetGone, kFailed), the caller
  // may look into it (kNotPermitted), it is a Python that we know (kFailed).
  static Result<std::unique_ptr<Recorder>> attach(Store& store, SamplerCache& samplers, const Caller& caller,
                                                  const v1::AttachRequest& request, const RecordingTerms& terms,
                                                  int64_t requested_ns);
  // Without finish() or discard() the session stays as a kill would leave it.
  ~Recorder() = default;

  // Waits some milliseconds, takes over what was sampled, keeps the session in step. Empty while the recording goes on,
  // else why it has come to its end. An error ends it as well.
  Result<std::optional<std::string_view>> step();
  // Ends the collection and keeps everything. `failure`: the error that ended it, which is what finish() then returns;
  // otherwise it fails when nothing at all could be read, or when the end could not be stored.
  Status finish(std::string_view reason, std::optional<Error> failure);
  // Ends the collection and deletes the session.
  void discard();

  // The session as it is now, without the cost of a sync. Valid until the next call.
  const v1::Session& session();
  LiveTop& live_top() { return events_; }

 private:
  Recorder(Store& store, const Caller& caller, Process process, std::optional<PythonRuntime> python,
           const RecordingTerms& terms, int64_t requested_ns, std::unique_ptr<SessionWriter> writer);

  Status start(std::unique_ptr<StackSource> source);
  Status share(gid_t group);
  // The target runs another program from now on.
  void describe(const Process& process, const PythonRuntime* python);
  Status sync();
  Status store_first_sample();
  SelfUse use();
  // False when even the lowest rate takes too much.
  bool keep_within_limits();
  std::chrono::milliseconds next_pause() const;

  Store& store_;
  const Caller caller_;
  const RecordingTerms terms_;
  const std::shared_ptr<const Process> process_;
  const std::optional<PythonRuntime> python_;
  const int64_t requested_ns_;
  const int64_t start_ns_;                   // session time 0
  const int64_t cpu_before_ns_;              // of the owner thread
  const std::chrono::nanoseconds duration_;  // 0: no end
  const std::chrono::milliseconds pause_;    // between two drains
  int64_t next_sync_ns_ = 0;
  bool is_first_sample_on_its_way_ = false;
  std::unique_ptr<SessionWriter> writer_;
  std::optional<SelfLimit> limit_;
  LiveTop events_;
  std::unique_ptr<Collector> collector_;
  std::unique_ptr<Sources> sources_;
};

}  // namespace pycroscope
